//! Webhooks.

use devstack::{
    deliver,
    github::{Config, ContentType, HookTarget, JobSpec, Webhook},
};

use super::support::{Api, Receiving, SOON, job};

const SECRET: &str = "0123456789abcdef";

fn sending_to(receiving: &Receiving) -> Config {
    Config { webhook: Some(Webhook::json(&receiving.url, SECRET)), ..Config::default() }
}

#[tokio::test]
async fn a_queued_job_is_announced_with_githubs_headers_and_signature() {
    let receiving = Receiving::start();
    let api = Api::with(sending_to(&receiving));
    let id = api.stand_in.queue_job(JobSpec { organization: Some("octo".to_owned()), ..job("true") });
    let webhook = receiving.next();
    assert_eq!(webhook.header("x-hub-signature-256"), deliver::signature(&SECRET.into(), &webhook.body));
    for (name, value) in [
        ("x-github-event", "workflow_job"),
        ("x-github-hook-installation-target-type", "organization"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(webhook.header(name), value);
    }
    for name in ["x-github-hook-id", "x-github-hook-installation-target-id"] {
        assert!(webhook.header(name).parse::<u64>().is_ok(), "{name}");
    }
    assert!(webhook.header("user-agent").starts_with("GitHub-Hookshot/"));
    assert_eq!(webhook.header("x-github-delivery").len(), 36);
    let told = webhook.json();
    assert_eq!((&told["action"], &told["workflow_job"]["id"]), (&"queued".into(), &id.into()));
    assert_eq!(api.stand_in.payload(id).unwrap(), webhook.body);

    let delivered = api.stand_in.wait_for("a delivery", SOON, || api.stand_in.deliveries().pop()).await.unwrap();
    assert_eq!(delivered.guid, webhook.header("x-github-delivery"));
    assert_eq!((delivered.status, delivered.answer.as_str(), delivered.job), (Some(202), "queued", id));
}

#[tokio::test]
async fn a_hook_may_send_forms_and_belong_to_an_app() {
    let receiving = Receiving::start();
    let mut webhook = Webhook::json(&receiving.url, SECRET);
    webhook.content_type = ContentType::Form;
    webhook.target = Some(HookTarget::Integration);
    let api = Api::start();
    api.stand_in.set_webhook(webhook);
    api.stand_in.queue_job(job("true"));
    let webhook = receiving.next();
    assert_eq!(webhook.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(webhook.header("x-github-hook-installation-target-type"), "integration");
    assert!(webhook.body.starts_with(b"payload=%7B%22action%22"));
    assert_eq!(webhook.header("x-hub-signature-256"), deliver::signature(&SECRET.into(), &webhook.body));
}

#[tokio::test]
async fn a_job_may_be_queued_in_silence_and_announced_later() {
    let receiving = Receiving::start();
    let api = Api::with(sending_to(&receiving));
    let silent = api.stand_in.add_job(job("true"));
    let announced = api.stand_in.queue_job(job("true"));
    assert_eq!(receiving.next().json()["workflow_job"]["id"], announced);
    assert!(api.stand_in.send_webhook(silent));
    assert_eq!(receiving.next().json()["workflow_job"]["id"], silent);
    assert!(!api.stand_in.send_webhook(1));
}

#[tokio::test]
async fn a_webhook_that_nobody_receives_is_sent_once() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = Config { webhook: Some(Webhook::json(format!("http://{closed}/"), SECRET)), ..Config::default() };
    let api = Api::with(config);
    let id = api.stand_in.queue_job(job("true"));
    let delivered = api.stand_in.wait_for("a delivery", SOON, || api.stand_in.deliveries().pop()).await.unwrap();
    assert_eq!((delivered.job, delivered.status), (id, None));
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(api.stand_in.deliveries().len(), 1);
}

#[tokio::test]
async fn the_webhooks_of_a_job_arrive_in_order() {
    let receiving = Receiving::start();
    let api = Api::with(sending_to(&receiving));
    for _ in 0..20 {
        let id = api.stand_in.queue_job(job("true"));
        api.stand_in.cancel_job(id);
        let actions = [receiving.next().json()["action"].clone(), receiving.next().json()["action"].clone()];
        assert_eq!(actions, ["queued", "completed"]);
    }
}
