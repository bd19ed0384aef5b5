//! `worker init`

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf};

use devstack::github::{APP_KEY, App, Config, FineGrained, Permissions};

use crate::world::{IMAGE, Said, TOKEN, World};

/// A machine that has been told nothing yet but where Docker is.
fn bare(config: Config) -> World {
    let mut world = World::with(config);
    std::fs::remove_file(world.folder.path().join("pools.toml")).unwrap();
    world.settings.retain(|name, _| ["HOME", "DOCKER_HOST"].contains(&name.as_str()));
    world
}

fn file(world: &World, name: &str) -> PathBuf {
    world.folder.path().join(name)
}

fn read(world: &World, name: &str) -> String {
    std::fs::read_to_string(file(world, name)).unwrap()
}

fn mode(world: &World, name: &str) -> u32 {
    std::fs::metadata(file(world, name)).unwrap().permissions().mode() & 0o777
}

/// What is in a file that was written, which nobody is shown.
fn value<'a>(env: &'a str, name: &str) -> Option<&'a str> {
    env.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

fn holds_back(world: &World, said: &Said) {
    let env = read(world, ".env");
    let secret = value(&env, "AUTOSCALER_SECRET_TOKEN").unwrap();
    assert!(secret.len() >= 40, "{secret}");
    assert!(!said.out.contains(secret) && !said.err.contains(secret), "{said:?}");
}

#[tokio::test]
async fn answers_line_by_line_make_both_files_and_it_ends_with_doctor() {
    let world = bare(Config::default().token(TOKEN, Permissions::all()));
    let queue = format!("sqlite:{}", world.folder.path().join("q.db").display());
    let answers = [world.github.url(), "", TOKEN, "octo/hello", "http://127.0.0.1:1/webhook", &queue, "", IMAGE, "3"];
    let said = world.run_with(&["init"], &(answers.join("\n") + "\n")).await;
    // GitHub cannot reach that address, so there is a failure, and only that one.
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!((mode(&world, ".env"), mode(&world, "pools.toml")), (0o600, 0o600));
    let env = read(&world, ".env");
    assert_eq!(value(&env, "AUTOSCALER_GITHUB_PAT"), Some(TOKEN));
    assert_eq!(value(&env, "AUTOSCALER_POOLS"), Some("pools.toml"));
    assert_eq!(value(&env, "QUEUE_URL"), Some(queue.as_str()));
    let pools = read(&world, "pools.toml");
    for line in ["image = \"runner:1\"", "max_runners = 3", "scopes = [\"octo/hello\"]", "scope = \"repository\""] {
        assert!(pools.lines().any(|it| it == line), "{pools}");
    }
    assert!(pools.contains("\"self-hosted\", \"linux\""), "{pools}");
    holds_back(&world, &said);
    assert!(said.err.contains("Made the webhook"), "{said:?}");
    assert!(said.out.contains("ok       github    runners at octo/hello"), "{said:?}");
    let failures: Vec<&str> = said.out.lines().filter(|line| line.starts_with("failure")).collect();
    assert!(failures.iter().all(|line| line.contains("deliveries of hook")), "{failures:?}");
    // Both processes can be started with that.
    let status = world.run(&["status"]).await;
    assert_eq!(status.code, Some(0), "{status:?}");
}

#[tokio::test]
async fn options_stand_for_answers_and_an_app_for_a_token() {
    let permissions = Permissions::app("octo", [FineGrained::ActionsRead, FineGrained::SelfHostedRunners]);
    let world = bare(Config::default().app(App::new(4711).installed(1, "octo", permissions)));
    std::fs::write(file(&world, "key.pem"), APP_KEY).unwrap();
    let url = world.github.url();
    let options = [
        "init",
        "--github-url",
        url,
        "--app-id",
        "4711",
        "--app-key-file",
        "key.pem",
        "--scope",
        "octo",
        "--webhook-url",
        "later",
        "--queue-url",
        "sqlite:q.db",
        "--labels",
        "gpu",
        "--image",
        IMAGE,
        "--max-runners",
        "2",
    ];
    let said = world.run(&options).await;
    let env = read(&world, ".env");
    assert_eq!(value(&env, "AUTOSCALER_GITHUB_APP_ID"), Some("4711"), "{said:?}");
    let key = value(&env, "AUTOSCALER_GITHUB_APP_PRIVATE_KEY_FILE").unwrap();
    assert!(key.starts_with('/') && key.ends_with("/key.pem"), "{key}");
    assert!(read(&world, "pools.toml").contains("labels = [\"gpu\"]"));
    assert!(said.out.contains("ok       github    runners at octo: may be registered"), "{said:?}");
    assert_eq!(world.github.count("POST", "/orgs/{org}/hooks"), 0);
    holds_back(&world, &said);
}

#[tokio::test]
async fn what_is_there_is_replaced_only_by_force() {
    let world = bare(Config::default().token(TOKEN, Permissions::all()));
    std::fs::write(file(&world, "token"), TOKEN).unwrap();
    let url = world.github.url();
    let options = ["init", "--github-url", url, "--token-file", "token", "--scope", "octo/hello", "--image", IMAGE];
    for there in [".env", "pools.toml"] {
        std::fs::write(file(&world, there), "mine").unwrap();
        let said = world.run(&options).await;
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains(&format!("{there} is there already")), "{said:?}");
        assert_eq!(read(&world, there), "mine");
        std::fs::remove_file(file(&world, there)).unwrap();
    }
    std::fs::write(file(&world, ".env"), "QUEUE_ULR=mine").unwrap();
    let forced = world.run_with(&[&options[..], &["--force"]].concat(), "\n\n\n\n").await;
    assert!(forced.err.contains("Wrote .env and pools.toml"), "{forced:?}");
    assert_eq!(value(&read(&world, ".env"), "QUEUE_URL"), Some("sqlite:"));
}

#[tokio::test]
async fn a_wrong_or_missing_answer_writes_nothing_and_shows_no_secret() {
    let world = bare(Config::default());
    for (answers, says) in [
        ("github.example.com\n", "GitHub's address begins with https://"),
        ("\nneither\n", "is token or app"),
        ("\ntoken\nhush hush\n", "a token is 1 to 1024 letters"),
        ("\n\nghp_hush\nocto/a/b\n", "a repository's name"),
        ("\n\nghp_hush\nocto\nci.example.com\n", "a webhook's URL"),
        ("\n\nghp_hush\nocto\nlater\nhttp://queue\n", "QUEUE_URL"),
        ("\n\nghp_hush\nocto\n\n\n,,\n", "label"),
        ("\n\nghp_hush\nocto\n\n\n\n\n0\n", "max_runners is 0"),
        ("\n\n", "no answer to \"The token, which is not shown\""),
    ] {
        let said = world.run_with(&["init"], answers).await;
        assert_eq!(said.code, Some(1), "{answers:?}: {said:?}");
        assert!(said.err.contains(says) && !said.err.contains("hush"), "{answers:?}: {said:?}");
        let left: Vec<_> = std::fs::read_dir(world.folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{answers:?}: {left:?}");
    }
}
