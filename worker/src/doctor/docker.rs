//! The container engine: whether it answers, what it is like, and whether it has what each pool wants of it.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use shared::{
    model::{DockerAccess, Pool, PullPolicy},
    telemetry::chain,
};

use super::{Finding, Subject::Docker as SUBJECT, Verdict, queue::bytes, within};
use crate::provider::{
    ProviderError,
    docker::{DockerProvider, EngineFacts, ImageState},
};

/// An image of a runner takes about 1 GiB, and what jobs write stands beside it.
const LITTLE_SPACE: u64 = 10 << 30;
const NO_SPACE: u64 = 1 << 30;

/// Looks at the engine, and at what the pools want of it.
pub(super) async fn look(docker: &DockerProvider, pools: &[&Pool]) -> Vec<Finding> {
    let facts = match docker.survey().await {
        Ok(facts) => facts,
        Err(error) => return vec![unusable(&error)],
    };
    let mut findings = of_engine(&facts);
    findings.extend(pools.iter().flat_map(|pool| of_pool(pool, &facts)));
    let wanted = images(pools);
    let looks = wanted.iter().map(|(image, pull)| {
        let check = format!("image {image}");
        within(SUBJECT, check.clone(), async move {
            let state = docker.image_state(image, *pull).await;
            vec![of_image(check, image, state)]
        })
    });
    findings.extend(join_all(looks).await.into_iter().flatten());
    findings
}

fn unusable(error: &ProviderError) -> Finding {
    let advice = match error {
        ProviderError::Unavailable { .. } => {
            "does Docker run, is DOCKER_HOST its address, and may this user reach it (group docker)? No job is started until it answers"
        }
        _ => "install a newer Docker on that host",
    };
    Finding::failure(SUBJECT, "engine", chain(error)).advise(advice)
}

fn of_engine(facts: &EngineFacts) -> Vec<Finding> {
    let EngineFacts { host, version, api, .. } = facts;
    let mut findings = vec![Finding::ok(SUBJECT, "engine", format!("Docker {version} at {host}, API {api}"))];
    findings.push(match facts.free_bytes {
        None => Finding::skipped(SUBJECT, "space", "the engine's files cannot be seen from here"),
        Some(free) => {
            let verdict = match free {
                ..NO_SPACE => Verdict::Failure,
                NO_SPACE..LITTLE_SPACE => Verdict::Warning,
                LITTLE_SPACE.. => Verdict::Ok,
            };
            Finding::new(verdict, SUBJECT, "space", format!("{} free", bytes(free)))
                .unless_ok("free some space there, for example with docker system prune")
        }
    });
    findings.extend(facts.warnings.iter().filter(|warning| limits(warning)).map(|warning| {
        let advice = "limits of pools.toml have no effect: give the engine's host the control groups for them";
        Finding::warning(SUBJECT, "limits", warning.trim_start_matches("WARNING: ")).advise(advice)
    }));
    findings
}

/// Whether it is about something that `pools.toml` promises.
fn limits(warning: &str) -> bool {
    ["memory limit", "pids limit", "cpu cfs"].iter().any(|limit| warning.to_ascii_lowercase().contains(limit))
}

/// What the pool's options want of the engine itself.
fn of_pool(pool: &Pool, facts: &EngineFacts) -> Vec<Finding> {
    let name = &pool.name;
    let mut findings = Vec::new();
    if let Some(runtime) = &pool.docker.runtime {
        let check = format!("runtime of pool {name}");
        findings.push(if facts.runtimes.contains(runtime) {
            Finding::ok(SUBJECT, check, runtime)
        } else {
            let there: Vec<&str> = facts.runtimes.iter().map(String::as_str).collect();
            let found = format!("the engine has no runtime {runtime}, but {}", there.join(", "));
            Finding::failure(SUBJECT, check, found).advise(
                "correct runtime in [pool.docker], or install it and name it in the engine's daemon.json (runtimes)",
            )
        });
    }
    if pool.docker.docker != DockerAccess::None {
        let check = format!("cgroups of pool {name}");
        findings.push(match facts.cgroup_version.as_str() {
            "" => Finding::skipped(SUBJECT, check, "the engine does not say which version its host has"),
            "1" => Finding::warning(
                SUBJECT,
                check,
                "version 1: GitHub's runner refuses container: jobs and services there",
            )
            .advise("start the engine's host with cgroup v2 (systemd.unified_cgroup_hierarchy=1)"),
            version => Finding::ok(SUBJECT, check, format!("version {version}")),
        });
    }
    if pool.docker.docker == DockerAccess::Socket {
        let found = "docker = \"socket\": whoever runs a job of this pool is root on the engine's host";
        findings.push(
            Finding::warning(SUBJECT, format!("isolation of pool {name}"), found)
                .advise("use docker = \"dind\", unless you trust everybody who can start a job of it"),
        );
    }
    findings
}

/// The images that are needed, each once, with when they may be pulled.
fn images<'a>(pools: &[&'a Pool]) -> Vec<(&'a str, PullPolicy)> {
    let mut known = BTreeSet::new();
    let of_pool = |pool: &&'a Pool| {
        let daemon = pool.docker.daemon_image();
        std::iter::once(pool.image.as_str()).chain(daemon).map(|image| (image, pool.docker.pull)).collect::<Vec<_>>()
    };
    pools.iter().flat_map(of_pool).filter(|(image, pull)| known.insert((*image, *pull == PullPolicy::Never))).collect()
}

fn of_image(check: String, image: &str, state: Result<ImageState, ProviderError>) -> Finding {
    match state {
        Ok(ImageState::Present) => Finding::ok(SUBJECT, check, "the engine has it"),
        Ok(ImageState::Pullable) => Finding::ok(SUBJECT, check, "absent, and its registry has it: the worker pulls it"),
        Ok(ImageState::IsBuilt) => Finding::ok(SUBJECT, check, "the worker builds it when it starts (DOCKER_BUILD_IMAGE)"),
        Ok(ImageState::Forbidden) => Finding::failure(SUBJECT, check, "absent, and its pool has pull = \"never\"")
            .advise(format!("docker pull {image} on the engine's host, or let the worker pull it")),
        Ok(ImageState::Unavailable(said)) => {
            Finding::failure(SUBJECT, check, format!("absent, and its registry does not give it: {said}")).advise(
                "correct its name in pools.toml or in DOCKER_RUNNER_IMAGE and DOCKER_RUNNER_TAG, or pull, load or build it on the \
                 engine's host",
            )
        }
        Err(error) => Finding::failure(SUBJECT, check, chain(&error)).advise("is the engine still up?"),
    }
}

#[cfg(test)]
mod tests {
    use shared::{model::Pools, settings::Environment};

    use super::*;

    fn pools(text: &str) -> Pools {
        let (_, default) = shared::pools::load(&mut Environment::of::<String, String>([]));
        Pools::parse(text, default.now().iter().next().unwrap()).unwrap()
    }

    fn verdicts(findings: &[Finding]) -> Vec<Verdict> {
        findings.iter().map(|finding| finding.verdict).collect()
    }

    fn facts() -> EngineFacts {
        let runtimes = ["runc".to_owned()].into();
        EngineFacts {
            cgroup_version: "2".to_owned(),
            runtimes,
            free_bytes: Some(LITTLE_SPACE),
            ..EngineFacts::default()
        }
    }

    #[test]
    fn a_pool_has_its_runtime_and_control_groups_for_jobs_in_containers() {
        use Verdict::{Failure, Ok, Skipped, Warning};
        let pools =
            pools("[[pool]]\nname = 'a'\n[pool.docker]\nruntime = 'runsc'\ndocker = 'dind'\n[[pool]]\nname = 'b'");
        let of = |facts: &EngineFacts| -> Vec<Finding> { pools.iter().flat_map(|pool| of_pool(pool, facts)).collect() };
        let found = of(&facts());
        assert_eq!(verdicts(&found), [Failure, Ok]);
        assert!(found[0].found.contains("no runtime runsc, but runc"), "{found:?}");
        let runtimes: BTreeSet<String> = ["runc".to_owned(), "runsc".to_owned()].into();
        let old = EngineFacts { runtimes, cgroup_version: "1".to_owned(), ..facts() };
        assert_eq!(verdicts(&of(&old)), [Ok, Warning]);
        assert_eq!(verdicts(&of(&EngineFacts { cgroup_version: String::new(), ..old })), [Ok, Skipped]);
        let socket = self::pools("[[pool]]\nname = 'a'\n[pool.docker]\ndocker = 'socket'");
        let found: Vec<Finding> = socket.iter().flat_map(|pool| of_pool(pool, &facts())).collect();
        assert_eq!(verdicts(&found), [Ok, Warning], "its jobs are root on the host: {found:?}");
    }

    #[test]
    fn a_full_disk_and_limits_that_have_no_effect_are_told() {
        use Verdict::{Failure, Ok, Skipped, Warning};
        let with = |free_bytes| verdicts(&of_engine(&EngineFacts { free_bytes, ..facts() }));
        assert_eq!(with(Some(LITTLE_SPACE)), [Ok, Ok]);
        assert_eq!(with(Some(NO_SPACE)), [Ok, Warning]);
        assert_eq!(with(Some(NO_SPACE - 1)), [Ok, Failure]);
        assert_eq!(with(None), [Ok, Skipped]);
        let warnings = vec!["WARNING: No memory limit support".to_owned(), "WARNING: bridge-nf is off".to_owned()];
        let warned = of_engine(&EngineFacts { warnings, ..facts() });
        assert_eq!((verdicts(&warned), warned[2].found.as_str()), (vec![Ok, Ok, Warning], "No memory limit support"));
    }

    #[test]
    fn an_image_is_looked_for_once_with_that_of_the_daemon_beside_it() {
        let pools = pools(
            "[[pool]]\nname = 'a'\nimage = 'x'\n[[pool]]\nname = 'b'\nimage = 'x'\n[pool.docker]\ndocker = 'dind'\n\
             [[pool]]\nname = 'c'\nimage = 'x'\n[pool.docker]\npull = 'never'",
        );
        let pools: Vec<&Pool> = pools.iter().collect();
        let (missing, never) = (PullPolicy::Missing, PullPolicy::Never);
        assert_eq!(images(&pools), [("x", missing), ("docker:dind", missing), ("x", never)]);
    }
}
