//! The body of a webhook that tells of a queued job, with the keys that GitHub's has.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::github::{JobSpec, state};

/// Ids of things that the stand-in does not tell apart.
const REPOSITORY_ID: u64 = 701_234_567;
const ACCOUNT_ID: u64 = 81_234_567;
const SENDER_ID: u64 = 91_234_567;
/// The commit that every run is of.
const HEAD_SHA: &str = "7c1f2a90d4b86e35ff0c9a1b2d3e4f5061728394";

/// The addresses in a repository's object: the key, without `_url`, and what follows the repository's own address.
const REPOSITORY_URLS: [(&str, &str); 37] = [
    ("forks", "/forks"),
    ("keys", "/keys{/key_id}"),
    ("collaborators", "/collaborators{/collaborator}"),
    ("teams", "/teams"),
    ("hooks", "/hooks"),
    ("issue_events", "/issues/events{/number}"),
    ("events", "/events"),
    ("assignees", "/assignees{/user}"),
    ("branches", "/branches{/branch}"),
    ("tags", "/tags"),
    ("blobs", "/git/blobs{/sha}"),
    ("git_tags", "/git/tags{/sha}"),
    ("git_refs", "/git/refs{/sha}"),
    ("trees", "/git/trees{/sha}"),
    ("statuses", "/statuses/{sha}"),
    ("languages", "/languages"),
    ("stargazers", "/stargazers"),
    ("contributors", "/contributors"),
    ("subscribers", "/subscribers"),
    ("subscription", "/subscription"),
    ("commits", "/commits{/sha}"),
    ("git_commits", "/git/commits{/sha}"),
    ("comments", "/comments{/number}"),
    ("issue_comment", "/issues/comments{/number}"),
    ("contents", "/contents/{+path}"),
    ("compare", "/compare/{base}...{head}"),
    ("merges", "/merges"),
    ("archive", "/{archive_format}{/ref}"),
    ("downloads", "/downloads"),
    ("issues", "/issues{/number}"),
    ("pulls", "/pulls{/number}"),
    ("milestones", "/milestones{/number}"),
    ("notifications", "/notifications{?since,all,participating}"),
    ("labels", "/labels{/name}"),
    ("releases", "/releases{/id}"),
    ("deployments", "/deployments"),
    ("url", ""),
];

/// The same of an account's object.
const ACCOUNT_URLS: [(&str, &str); 9] = [
    ("followers", "/followers"),
    ("following", "/following{/other_user}"),
    ("gists", "/gists{/gist_id}"),
    ("starred", "/starred{/owner}{/repo}"),
    ("subscriptions", "/subscriptions"),
    ("organizations", "/orgs"),
    ("repos", "/repos"),
    ("events", "/events{/privacy}"),
    ("received_events", "/received_events"),
];

/// The same of an organization's object.
const ORGANIZATION_URLS: [(&str, &str); 6] = [
    ("repos", "/repos"),
    ("events", "/events"),
    ("hooks", "/hooks"),
    ("issues", "/issues"),
    ("members", "/members{/member}"),
    ("public_members", "/public_members{/member}"),
];

/// The body of a webhook that tells that a job was queued at GitHub.
pub(crate) fn example(spec: &JobSpec) -> Vec<u8> {
    queued("https://github.com", spec, 41_000_000_000, 15_000_000_000, OffsetDateTime::now_utc())
        .to_string()
        .into_bytes()
}

/// The body of the webhook that tells that the job `id` of the run `run_id` was queued.
pub(in crate::github) fn queued(web: &str, spec: &JobSpec, id: u64, run_id: u64, now: OffsetDateTime) -> Value {
    let api = format!("{web}/api/v3");
    let mut payload = json!({
        "action": "queued",
        "workflow_job": job(web, spec, id, run_id, now),
        "repository": repository(web, spec),
        "sender": account(web, "monalisa-standin", SENDER_ID, "User"),
    });
    if let Some(login) = &spec.organization {
        let url = format!("{api}/orgs/{login}");
        let mut organization = addresses(&url, &ORGANIZATION_URLS);
        organization.extend(object(json!({
            "login": login, "id": ACCOUNT_ID, "node_id": "O_kgDOstandin", "url": url, "description": "",
            "avatar_url": format!("{web}/avatars/u/{ACCOUNT_ID}"),
        })));
        payload["organization"] = Value::Object(organization);
    }
    if let Some(slug) = &spec.enterprise {
        payload["enterprise"] = json!({
            "id": 11, "slug": slug, "name": slug, "node_id": "E_kgDOstandin", "description": "", "website_url": null,
            "avatar_url": format!("{web}/avatars/b/11"), "html_url": format!("{web}/enterprises/{slug}"),
            "created_at": state::moment(now), "updated_at": state::moment(now),
        });
    }
    if let Some(id) = spec.installation {
        payload["installation"] = json!({ "id": id, "node_id": "MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9u" });
    }
    payload
}

fn job(web: &str, spec: &JobSpec, id: u64, run_id: u64, now: OffsetDateTime) -> Value {
    let repository = &spec.repository;
    let api = format!("{web}/api/v3/repos/{repository}");
    json!({
        "id": id,
        "run_id": run_id,
        "workflow_name": spec.workflow,
        "head_branch": "main",
        "run_url": format!("{api}/actions/runs/{run_id}"),
        "run_attempt": spec.run_attempt,
        "node_id": format!("CR_standin{id}"),
        "head_sha": HEAD_SHA,
        "url": format!("{api}/actions/jobs/{id}"),
        "html_url": format!("{web}/{repository}/actions/runs/{run_id}/job/{id}"),
        "status": "queued",
        "conclusion": null,
        "created_at": state::moment(now),
        "started_at": state::moment(now),
        "completed_at": null,
        "name": spec.name,
        "steps": [],
        "check_run_url": format!("{api}/check-runs/{id}"),
        "labels": spec.labels,
        "runner_id": null,
        "runner_name": null,
        "runner_group_id": null,
        "runner_group_name": null,
    })
}

fn repository(web: &str, spec: &JobSpec) -> Value {
    let full_name = spec.repository.as_str();
    let owner = spec.repository.owner();
    let name = full_name.split_once('/').map_or(full_name, |(_, name)| name);
    let kind = if spec.organization.is_some() { "Organization" } else { "User" };
    let host = web.split_once("://").map_or(web, |(_, host)| host);
    let mut repository = addresses(&format!("{web}/api/v3/repos/{full_name}"), &REPOSITORY_URLS);
    repository.extend(object(json!({
        "id": REPOSITORY_ID, "node_id": "R_kgDOstandin", "name": name, "full_name": full_name, "private": true,
        "owner": account(web, owner, ACCOUNT_ID, kind),
        "html_url": format!("{web}/{full_name}"), "description": null, "fork": false,
        "created_at": "2024-02-03T04:05:06Z", "updated_at": "2025-02-03T04:05:06Z", "pushed_at": "2025-02-03T04:05:06Z",
        "git_url": format!("git://{host}/{full_name}.git"), "ssh_url": format!("git@{host}:{full_name}.git"),
        "clone_url": format!("{web}/{full_name}.git"), "svn_url": format!("{web}/{full_name}"),
    })));
    repository.extend(object(json!({
        "homepage": null, "size": 1024, "stargazers_count": 0, "watchers_count": 0, "language": "Rust",
        "has_issues": true, "has_projects": true, "has_downloads": true, "has_wiki": true, "has_pages": false,
        "has_discussions": false, "forks_count": 0, "mirror_url": null, "archived": false, "disabled": false,
        "open_issues_count": 0, "license": null, "allow_forking": true, "is_template": false,
        "web_commit_signoff_required": false, "topics": [], "visibility": "private", "forks": 0, "open_issues": 0,
        "watchers": 0, "default_branch": "main", "custom_properties": {},
    })));
    Value::Object(repository)
}

fn account(web: &str, login: &str, id: u64, kind: &str) -> Value {
    let url = format!("{web}/api/v3/users/{login}");
    let mut account = addresses(&url, &ACCOUNT_URLS);
    account.extend(object(json!({
        "login": login, "id": id, "node_id": format!("U_standin{id}"), "gravatar_id": "", "type": kind, "url": url,
        "avatar_url": format!("{web}/avatars/u/{id}?v=4"), "html_url": format!("{web}/{login}"), "site_admin": false,
        "user_view_type": "public",
    })));
    Value::Object(account)
}

fn addresses(base: &str, suffixes: &[(&str, &str)]) -> Map<String, Value> {
    let name = |key: &str| if key == "url" { key.to_owned() } else { format!("{key}_url") };
    suffixes.iter().map(|(key, suffix)| (name(key), json!(format!("{base}{suffix}")))).collect()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
