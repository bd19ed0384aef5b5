//! The runner, as a process of this machine.

use std::time::Duration;

use devstack::{
    github::{Conclusion, Config, Effect, Fault, JobSpec, JobStatus, Timings},
    harness::{Process, ProcessSpec, Signal},
};

use super::support::{Api, Home, SOON, job, wait_for_file};

/// What the runner printed up to its last line.
async fn ended(runner: &mut Process) -> Vec<String> {
    ended_with(runner, "Exiting runner...").await
}

async fn ended_with(runner: &mut Process, last: &str) -> Vec<String> {
    let status = runner.wait(SOON).await.unwrap();
    assert!(status.success(), "{status}: {:?}", runner.lines());
    runner.wait_for_line(last, SOON).await.unwrap();
    runner.lines()
}

/// The lines without what is in front of the first `: ` of a time.
fn untimed(lines: &[String]) -> Vec<&str> {
    let timed = |line: &str| line.len() > 22 && line.is_char_boundary(22) && line[..22].ends_with("Z: ");
    lines.iter().map(|line| if timed(line) { &line[22..] } else { line.as_str() }).collect()
}

fn has(lines: &[String], line: &str) -> bool {
    untimed(lines).contains(&line)
}

#[tokio::test]
async fn a_jit_runner_takes_one_job_prints_what_the_real_one_prints_and_is_gone() {
    let api = Api::start();
    let home = Home::with(&api.jit("/repos/octo/repo", "r1").await);
    let mut runner = home.run();
    let listening = runner.wait_for_line(": Listening for Jobs", SOON).await.unwrap();
    assert!(
        time::OffsetDateTime::parse(&listening[..20].replace(' ', "T"), &time::format_description::well_known::Rfc3339)
            .is_ok(),
        "{listening}"
    );
    let view = api.stand_in.runners().pop().unwrap();
    assert!(view.online && view.ephemeral && view.job.is_none(), "{view:?}");

    let env = [("GREETING".to_owned(), "hello".to_owned())].into();
    let id =
        api.stand_in.queue_job(JobSpec { env, name: "say it".to_owned(), ..job("echo $GREETING from $RUNNER_NAME") });
    let lines = ended(&mut runner).await;
    for line in [
        "\u{221a} Connected to GitHub",
        "Current runner version: '2.336.0'",
        "Listening for Jobs",
        "Running job: say it",
        "Job say it completed with result: Succeeded",
    ] {
        assert!(has(&lines, line), "{line:?} is not in {lines:?}");
    }
    let job = api.stand_in.job(id).unwrap();
    assert_eq!((job.conclusion, job.log.as_str()), (Some(Conclusion::Success), "hello from r1\n"));
    assert_eq!(job.taken_by.unwrap().name, "r1");
    assert!(api.stand_in.runners().is_empty());
}

#[tokio::test]
async fn a_step_that_fails_fails_its_job() {
    let api = Api::start();
    let id = api.stand_in.queue_job(job("exit 3"));
    let home = Home::with(&api.jit("/orgs/octo", "r").await);
    let mut runner = home.run();
    let lines = ended(&mut runner).await;
    assert!(has(&lines, "Job build completed with result: Failed"), "{lines:?}");
    assert_eq!(api.stand_in.job(id).unwrap().conclusion, Some(Conclusion::Failure));
}

#[tokio::test]
async fn a_running_job_that_is_cancelled_stops_its_step() {
    let api = Api::start();
    let home = Home::with(&api.jit("/orgs/octo", "r").await);
    let mut runner = home.run();
    let id = api.stand_in.queue_job(job("touch begun; sleep 60"));
    wait_for_file(&home.path("_work/begun")).await;
    assert!(api.stand_in.cancel_job(id));
    let lines = ended(&mut runner).await;
    assert!(has(&lines, "Job build completed with result: Canceled"), "{lines:?}");
    assert_eq!(api.stand_in.job(id).unwrap().conclusion, Some(Conclusion::Cancelled));
}

#[tokio::test]
async fn a_runner_that_is_told_to_stop_cancels_its_job_in_an_orderly_way() {
    for signal in [Signal::TERM, Signal::INT] {
        let api = Api::start();
        let home = Home::with(&api.jit("/orgs/octo", "r").await);
        let mut runner = home.run();
        let id = api.stand_in.queue_job(job("touch begun; sleep 60"));
        wait_for_file(&home.path("_work/begun")).await;
        runner.signal(signal).unwrap();
        let lines = ended(&mut runner).await;
        assert!(has(&lines, "Job build completed with result: Canceled"), "{lines:?}");
        assert_eq!(api.stand_in.job(id).unwrap().conclusion, Some(Conclusion::Cancelled));
    }
}

#[tokio::test]
async fn an_idle_runner_that_is_told_to_stop_ends_at_once_and_stays_registered() {
    let api = Api::start();
    let home = Home::with(&api.jit("/orgs/octo", "r").await);
    let mut runner = home.run();
    runner.wait_for_line("Listening for Jobs", SOON).await.unwrap();
    runner.signal(Signal::TERM).unwrap();
    let lines = ended(&mut runner).await;
    assert!(has(&lines, "Exiting..."), "{lines:?}");
    let view = api.stand_in.runners().pop().unwrap();
    assert!(!view.online, "{view:?}");
}

#[tokio::test]
async fn a_runner_whose_registration_is_deleted_is_told_so_while_it_listens_and_when_it_starts() {
    let api = Api::start();
    let home = Home::with(&api.jit("/orgs/octo", "r").await);
    let mut runner = home.run();
    runner.wait_for_line("Listening for Jobs", SOON).await.unwrap();
    let id = api.stand_in.runners()[0].id;
    assert_eq!(api.call("DELETE", &format!("/orgs/octo/actions/runners/{id}"), None).await.status, 204);
    let deleted = "Failed to create a session. The runner registration has been deleted from the server";
    for lines in [ended(&mut runner).await, ended(&mut home.run()).await] {
        assert!(lines.iter().any(|line| line.starts_with(deleted)), "{lines:?}");
    }
}

#[tokio::test]
async fn a_runner_without_its_files_says_so() {
    let api = Api::start();
    let files = api.jit("/orgs/octo", "r").await;
    for (missing, said) in [
        (".runner", "Not configured. Run config.(sh/cmd)"),
        (".credentials", "Credentials not stored"),
        (".credentials_rsaparams", "RSA key file"),
    ] {
        let home = Home::with(&files);
        std::fs::remove_file(home.path(missing)).unwrap();
        let lines = ended(&mut home.run()).await;
        assert!(lines.iter().any(|line| line.contains(said)), "{lines:?}");
        assert!(!has(&lines, "Listening for Jobs"));
    }
}

#[tokio::test]
async fn a_runner_with_another_ones_key_gets_no_session() {
    let api = Api::start();
    let mut files = api.jit("/orgs/octo", "r").await;
    files[".credentials_rsaparams"] = api.jit("/orgs/octo", "s").await[".credentials_rsaparams"].clone();
    let lines = ended(&mut Home::with(&files).run()).await;
    assert!(lines.iter().any(|line| line.starts_with("Failed to create a session")), "{lines:?}");
}

#[tokio::test]
async fn a_runner_tries_again_when_github_fails() {
    let api = Api::start();
    api.stand_in.fault(Fault::once("POST", "/_standin/runner/session", Effect::server_error()));
    api.stand_in.fault(Fault::once("GET", "*/message", Effect::server_error()));
    let id = api.stand_in.queue_job(job("true"));
    let home = Home::with(&api.jit("/orgs/octo", "r").await);
    let mut runner = home.run();
    let lines = ended(&mut runner).await;
    let errors = untimed(&lines).into_iter().filter(|line| line.starts_with("Runner connect error: ")).count();
    assert_eq!(errors, 2, "{lines:?}");
    assert_eq!(api.stand_in.job(id).unwrap().conclusion, Some(Conclusion::Success));
}

#[tokio::test]
async fn a_runner_that_is_killed_goes_offline_and_its_job_fails() {
    let timings = Timings { silence: Duration::from_millis(1500), ..Timings::default() };
    let api = Api::with(Config { timings, ..Config::default() });
    let home = Home::with(&api.jit("/orgs/octo", "r").await);
    let mut runner = home.run();
    let id = api.stand_in.queue_job(job("touch begun; sleep 5"));
    wait_for_file(&home.path("_work/begun")).await;
    runner.kill();
    let job = api.stand_in.wait_for_job(id, JobStatus::Completed, SOON).await.unwrap();
    assert_eq!(job.conclusion, Some(Conclusion::Failure));
    assert!(!api.stand_in.runners()[0].online);
}

#[tokio::test]
async fn a_runner_that_hangs_up_while_it_waits_gets_no_job() {
    let timings = Timings { silence: Duration::from_secs(1), ..Timings::default() };
    let api = Api::with(Config { timings, ..Config::default() });
    let home = Home::with(&api.jit("/orgs/octo", "r").await);
    let mut runner = home.run();
    let listening = |wanted: bool| {
        let stand_in = &api.stand_in;
        move || stand_in.runners().pop().filter(|runner| runner.listening == wanted)
    };
    api.stand_in.wait_for("it listens", SOON, listening(true)).await.unwrap();
    runner.kill();
    api.stand_in.wait_for("it listens no more", SOON, listening(false)).await.unwrap();
    let id = api.stand_in.queue_job(job("true"));
    assert_eq!(api.stand_in.job(id).unwrap().assignments, 0);
}

#[tokio::test]
async fn a_runner_registers_by_token_and_takes_its_job() {
    let api = Api::start();
    let answer = api.call("POST", "/repos/octo/repo/actions/runners/registration-token", None).await;
    let token = answer.body["token"].as_str().unwrap();
    let url = format!("{}/octo/repo", api.stand_in.url());
    let home = Home::empty();
    let config = ProcessSpec::new(home.path("config.sh"))
        .arg("--unattended")
        .arg("--url")
        .arg(&url)
        .arg("--token")
        .arg(token)
        .arg("--name")
        .arg("by-token")
        .arg("--labels")
        .arg("linux,gpu")
        .arg("--work")
        .arg("_work")
        .arg("--ephemeral")
        .arg("--disableupdate")
        .arg("--replace");
    let mut configuring = Process::start(&config).unwrap();
    ended_with(&mut configuring, "\u{221a} Settings Saved.").await;
    let again = Process::start(&config).unwrap().wait(SOON).await.unwrap();
    assert_eq!(again.code(), Some(1), "it is configured already");

    let labels = vec!["self-hosted".to_owned(), "GPU".to_owned()];
    let id = api.stand_in.queue_job(JobSpec { labels, ..job("true") });
    let lines = ended(&mut home.run()).await;
    assert!(has(&lines, "Job build completed with result: Succeeded"), "{lines:?}");
    assert_eq!(api.stand_in.job(id).unwrap().taken_by.unwrap().name, "by-token");
}

#[tokio::test]
async fn the_entry_point_of_an_image_does_both_with_what_the_environment_says() {
    let api = Api::start();
    let group = api.stand_in.add_group(&"octo".parse().unwrap(), "gpu", None);
    let answer = api.call("POST", "/orgs/octo/actions/runners/registration-token", None).await;
    let home = Home::empty();
    let entry = ProcessSpec::new(home.path("entrypoint")).envs([
        ("URL", format!("{}/octo", api.stand_in.url())),
        ("TOKEN", answer.body["token"].as_str().unwrap().to_owned()),
        ("NAME", "by-env".to_owned()),
        ("LABELS", "linux".to_owned()),
        ("RUNNER_GROUP", "gpu".to_owned()),
    ]);
    let id = api.stand_in.queue_job(job("true"));
    let mut runner = Process::start(&entry).unwrap();
    ended(&mut runner).await;
    let taken_by = api.stand_in.job(id).unwrap().taken_by.unwrap();
    assert_eq!((taken_by.name.as_str(), taken_by.group_id, taken_by.group_name.as_str()), ("by-env", group, "gpu"));
}

#[tokio::test]
async fn a_token_that_is_wrong_registers_nobody() {
    let api = Api::start();
    let home = Home::empty();
    let url = format!("{}/octo", api.stand_in.url());
    let entry = ProcessSpec::new(home.path("entrypoint")).envs([("URL", url.as_str()), ("TOKEN", "A"), ("NAME", "n")]);
    let mut runner = Process::start(&entry).unwrap();
    let status = runner.wait(SOON).await.unwrap();
    assert_eq!(status.code(), Some(1));
    runner.wait_for_line("Http response code: NotFound", SOON).await.unwrap();
    assert!(api.stand_in.runners().is_empty());
}
