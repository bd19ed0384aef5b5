//! `worker hook`

use devstack::github::{App, ClassicScope, Config, Effect, Fault, FineGrained, JobSpec, Permissions};
use serde_json::{Value, json};

use crate::world::{PATIENCE, SECRET, TOKEN, World, until};

const URL: &str = "https://ci.example.com/webhook";

/// The webhooks of a repository, as GitHub has them.
async fn at_github(world: &World, place: &str) -> Value {
    let url = format!("{}/api/v3/{place}/hooks", world.github.url());
    let http = devstack::deliver::client().unwrap();
    let request = http.get(url).bearer_auth(TOKEN).header("user-agent", "test");
    request.send().await.unwrap().json().await.unwrap()
}

/// Changes a webhook behind the back of `worker`.
async fn patch(world: &World, place: &str, id: &Value, body: &Value) {
    let url = format!("{}/api/v3/{place}/hooks/{id}", world.github.url());
    let http = devstack::deliver::client().unwrap();
    let request = http.patch(url).bearer_auth(TOKEN).header("user-agent", "test").json(body);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_webhook_is_made_once_and_delivers_what_ingest_takes() {
    let world = World::new();
    let ingest = world.ingest(SECRET).await;
    let add = ["hook", "add", "--repo", "octo/hello", "--url", &ingest.url];
    let (code, made) = world.json(&add).await;
    assert_eq!((code, &made["done"], &made["at"]), (Some(0), &json!("made"), &json!("octo/hello")));
    let there = at_github(&world, "repos/octo/hello").await;
    assert_eq!(there.as_array().unwrap().len(), 1);
    assert_eq!((&there[0]["active"], &there[0]["events"]), (&json!(true), &json!(["workflow_job"])));
    let config = &there[0]["config"];
    assert_eq!((&config["content_type"], &config["insecure_ssl"]), (&json!("json"), &json!("0")));

    // Ping and job are taken: the secret is that of ingest.
    let job = world.github.queue_job(JobSpec::of("octo/hello".parse().unwrap()));
    let answered = |event: &str| {
        let deliveries = world.github.deliveries();
        deliveries.into_iter().find(|it| it.event == event).and_then(|it| it.status)
    };
    assert!(until(async || answered("ping").is_some() && answered("workflow_job").is_some()).await);
    assert_eq!((answered("ping"), answered("workflow_job")), (Some(200), Some(202)), "job {job}");
    // Of another repository it hears nothing.
    world.github.queue_job(JobSpec::of("octo/other".parse().unwrap()));

    let (_, again) = world.json(&add).await;
    assert_eq!((&again["done"], &again["id"], &again["changed"]), (&json!("unchanged"), &made["id"], &json!([])));
    assert_eq!(at_github(&world, "repos/octo/hello").await.as_array().unwrap().len(), 1);
    assert_eq!(world.github.deliveries().iter().filter(|it| it.repository == "octo/other").count(), 0);
}

#[tokio::test]
async fn a_webhook_that_is_not_as_it_should_be_is_corrected_in_its_place() {
    let world = World::new();
    let ingest = world.ingest(SECRET).await;
    let add = ["hook", "add", "--org", "octo", "--url", &ingest.url];
    let (_, made) = world.json(&add).await;
    let wrong = json!({
        "active": false, "events": ["push", "workflow_job"],
        "config": { "content_type": "form", "insecure_ssl": "1", "secret": "another that ingest does not know" },
    });
    patch(&world, "orgs/octo", &made["id"], &wrong).await;
    let (_, listed) = world.json(&["hook", "list", "--org", "octo"]).await;
    assert_eq!(listed[0]["wrong"], json!(["active", "events", "content_type", "insecure_ssl"]));

    let said = world.run(&add).await;
    assert!(said.out.contains("Corrected") && said.out.contains("events, content type"), "{said:?}");
    let (_, listed) = world.json(&["hook", "list", "--org", "octo"]).await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["wrong"]), (1, &json!([])), "{listed}");
    let spec = JobSpec { organization: Some("octo".to_owned()), ..JobSpec::of("octo/hello".parse().unwrap()) };
    world.github.queue_job(spec);
    let taken = || world.github.deliveries().iter().any(|it| it.event == "workflow_job" && it.status == Some(202));
    assert!(until(async || taken()).await, "its secret is the right one again: {:?}", world.github.deliveries());
}

#[tokio::test]
async fn webhooks_are_listed_with_how_the_last_delivery_was_answered_and_removed_by_id_or_url() {
    let world = World::new();
    let ingest = world.ingest("another secret than the webhook's").await;
    for place in [["--repo", "octo/hello"], ["--org", "octo"]] {
        let (_, made) = world.json(&["hook", "add", place[0], place[1], "--url", &ingest.url]).await;
        let list = ["hook", "list", place[0], place[1]];
        let refused = async || world.json(&list).await.1[0]["last_response"]["code"] == json!(401);
        assert!(until(refused).await, "{place:?}: {:?}", world.github.deliveries());
        let table = world.run(&list).await.out;
        assert!(table.starts_with("ID ") && table.contains(&ingest.url) && table.contains("401"), "{table}");

        let which = if place[0] == "--org" { ingest.url.clone() } else { made["id"].to_string() };
        let said = world.run(&["hook", "remove", place[0], place[1], &which]).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(world.json(&list).await.1, json!([]));
        let gone = world.run(&["hook", "remove", place[0], place[1], &which]).await;
        assert_eq!(gone.code, Some(1));
        assert!(gone.err.contains("there is no webhook"), "{gone:?}");
    }
}

#[tokio::test]
async fn what_is_missing_for_a_webhook_is_named() {
    let runners_only = Permissions::classic([ClassicScope::AdminOrg]);
    let mut world = World::with(Config::default().token(TOKEN, runners_only));
    let said = world.run(&["hook", "add", "--org", "octo", "--url", URL]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("admin:org_hook"), "{said:?}");
    let said = world.run(&["hook", "add", "--enterprise", "acme", "--url", URL]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("GitHub's API has no webhooks of enterprises"), "{said:?}");
    let said = world.run(&["hook", "list", "--app"]).await;
    assert!(said.err.contains("AUTOSCALER_GITHUB_APP_ID is not set"), "{said:?}");
    for odd in [vec!["hook", "add", "--url", URL], vec!["hook", "add", "--org", "o", "--url", "ci.example.com"]] {
        assert_eq!(world.run(&odd).await.code, Some(2), "{odd:?}");
    }
    world.settings.remove("AUTOSCALER_SECRET_TOKEN");
    let said = world.run(&["hook", "add", "--org", "octo", "--url", URL]).await;
    assert!(said.err.contains("AUTOSCALER_SECRET_TOKEN is not set"), "{said:?}");
    assert_eq!(world.github.count("POST", "/orgs/{org}/hooks"), 0);
}

#[tokio::test]
async fn one_that_was_made_meanwhile_is_an_error_in_githubs_words() {
    let world = World::new();
    world.json(&["hook", "add", "--repo", "octo/hello", "--url", URL]).await;
    // What the list lacks, for a moment, is there all the same.
    world.github.fault(Fault::once(
        "GET",
        "/repos/octo/hello/hooks",
        Effect::Answer { status: 200, body: json!([]), headers: std::collections::BTreeMap::default() },
    ));
    let said = world.run(&["hook", "add", "--repo", "octo/hello", "--url", URL]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("Hook already exists on this repository"), "{said:?}");
}

#[tokio::test]
async fn the_webhook_of_an_app_is_set_and_listed() {
    let permissions = Permissions::app("octo", [FineGrained::ActionsRead, FineGrained::Administration]);
    let app = App::new(4711).installed(1, "octo", permissions);
    let mut world = World::with(Config::default().app(app));
    world.as_app(4711);
    let ingest = world.ingest(SECRET).await;
    assert_eq!(world.json(&["hook", "list", "--app"]).await.1, json!([]));
    let add = ["hook", "add", "--app", "--url", &ingest.url];
    assert_eq!(world.json(&add).await.1["done"], "made");
    let (_, listed) = world.json(&["hook", "list", "--app"]).await;
    assert_eq!((&listed[0]["url"], &listed[0]["wrong"]), (&json!(ingest.url), &json!([])), "{listed}");
    assert_eq!(world.json(&add).await.1["done"], "unchanged");
    let elsewhere = world.json(&["hook", "add", "--app", "--url", URL]).await.1;
    assert_eq!((&elsewhere["done"], &elsewhere["changed"]), (&json!("corrected"), &json!(["url"])));
    world.json(&add).await;
    let id = world.github.queue_job(JobSpec::of("octo/hello".parse().unwrap()));
    let taken = || world.github.deliveries().iter().any(|it| it.job == id && it.status == Some(202));
    assert!(until(async || taken()).await, "within {PATIENCE:?}: {:?}", world.github.deliveries());
}
