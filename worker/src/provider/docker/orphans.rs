//! What stands on an engine for runners that are not there any more.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bollard::{
    Docker,
    query_parameters::{ListContainersOptionsBuilder, ListVolumesOptionsBuilder},
};
use tokio::time::Instant;
use tracing::info;

use super::{
    beside,
    connect::{CHANGE_TIMEOUT, bounded},
    kept,
    network::{self, Networks},
};
use crate::{provider::ProviderError, runner::label};

/// How long something must have stood alone: what belongs to a runner is made before its container is, and that takes a
/// daemon's start at most.
pub(super) const ALONE_FOR: Duration = Duration::from_mins(10);

/// Something that stands alone. They go in this order: a volume cannot while a container has it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Orphan {
    Daemon(String),
    Volume(String),
    Network(String),
}

/// What stood alone when it was last looked at, and since when.
#[derive(Debug, Default)]
pub(super) struct Orphans(Mutex<HashMap<Orphan, Instant>>);

/// A container of ours.
struct Ours {
    id: String,
    name: String,
    worker: String,
    /// The runner that it stands beside; it is a runner's, if there is none.
    beside: Option<String>,
}

impl Orphans {
    /// Removes what has stood alone since a look that is `alone_for` ago.
    pub(super) async fn remove(
        &self,
        client: &Docker,
        networks: &Networks,
        alone_for: Duration,
    ) -> Result<(), ProviderError> {
        let alone = look(client, networks).await?;
        let due = due(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), alone, Instant::now(), alone_for);
        for orphan in due {
            match &orphan {
                Orphan::Daemon(id) => beside::remove_daemon(client, id).await?,
                Orphan::Volume(name) => beside::remove_volume(client, name).await?,
                Orphan::Network(id) => network::remove(client, id).await?,
            }
            info!(?orphan, "Removed what belonged to no runner any more");
        }
        Ok(())
    }
}

async fn look(client: &Docker, networks: &Networks) -> Result<BTreeSet<Orphan>, ProviderError> {
    let by = |label: &str| HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
    // First the volumes: a runner that is made meanwhile has its container on the list.
    let options = ListVolumesOptionsBuilder::new().filters(&by(label::BESIDE)).build();
    let volumes = bounded("list volumes", CHANGE_TIMEOUT, client.list_volumes(Some(options))).await?;
    let volumes = volumes.volumes.unwrap_or_default().into_iter();
    let volumes: Vec<(String, String)> =
        volumes.filter_map(|mut volume| Some((volume.name, volume.labels.remove(label::BESIDE)?))).collect();
    let networks: Vec<(String, String)> =
        network::list(client, label::WORKER).await?.into_iter().filter(|(_, worker)| !networks.uses(worker)).collect();

    let options = ListContainersOptionsBuilder::new().all(true).filters(&by(label::WORKER)).build();
    let containers = bounded("list containers", CHANGE_TIMEOUT, client.list_containers(Some(options))).await?;
    let containers = containers.into_iter().filter_map(|container| {
        let (mut labels, names) = (container.labels?, container.names?);
        let name = names.first()?.trim_start_matches('/');
        Some(Ours {
            id: container.id?,
            name: kept::runner(name).unwrap_or(name).to_owned(),
            worker: labels.remove(label::WORKER)?,
            beside: labels.remove(label::BESIDE),
        })
    });
    Ok(alone(&containers.collect::<Vec<_>>(), volumes, networks))
}

/// What stands alone. `volumes` and `networks` come with their runner, and their worker.
fn alone(containers: &[Ours], volumes: Vec<(String, String)>, networks: Vec<(String, String)>) -> BTreeSet<Orphan> {
    let runners: BTreeSet<&str> =
        containers.iter().filter(|ours| ours.beside.is_none()).map(|ours| ours.name.as_str()).collect();
    let workers: BTreeSet<&str> = containers.iter().map(|ours| ours.worker.as_str()).collect();
    let daemons = containers.iter().filter(|ours| ours.beside.as_deref().is_some_and(|name| !runners.contains(name)));
    let daemons = daemons.map(|ours| Orphan::Daemon(ours.id.clone()));
    let volumes = volumes.into_iter().filter(|(_, runner)| !runners.contains(runner.as_str()));
    let networks = networks.into_iter().filter(|(_, worker)| !workers.contains(worker.as_str()));
    daemons
        .chain(volumes.map(|(name, _)| Orphan::Volume(name)))
        .chain(networks.map(|(id, _)| Orphan::Network(id)))
        .collect()
}

/// What may go now, by what was known before; what does not stand alone any more is forgotten.
fn due(
    known: &mut HashMap<Orphan, Instant>,
    alone: BTreeSet<Orphan>,
    now: Instant,
    alone_for: Duration,
) -> Vec<Orphan> {
    known.retain(|orphan, _| alone.contains(orphan));
    let is_due = |orphan: &Orphan| {
        let since = *known.entry(orphan.clone()).or_insert(now);
        since < now && now - since >= alone_for
    };
    alone.into_iter().filter(is_due).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(name: &str, worker: &str, beside: Option<&str>) -> Ours {
        Ours {
            id: name.to_owned(),
            name: name.to_owned(),
            worker: worker.to_owned(),
            beside: beside.map(str::to_owned),
        }
    }

    fn pair(thing: &str, of: &str) -> (String, String) {
        (thing.to_owned(), of.to_owned())
    }

    #[test]
    fn only_what_has_no_runner_stands_alone() {
        let containers = [ours("a", "w", None), ours("a.docker", "w", Some("a")), ours("b.docker", "w", Some("b"))];
        let alone = alone(
            &containers,
            vec![pair("a.work", "a"), pair("b.work", "b"), pair("c.work", "c")],
            vec![pair("n1", "w"), pair("n2", "other")],
        );
        let expected = [
            Orphan::Daemon("b.docker".to_owned()),
            Orphan::Volume("b.work".to_owned()),
            Orphan::Volume("c.work".to_owned()),
            Orphan::Network("n2".to_owned()),
        ];
        assert_eq!(alone.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_stands_alone_goes_only_after_a_while_and_is_forgotten_when_it_does_not() {
        let (mut known, begun) = (HashMap::new(), Instant::now());
        let one = || BTreeSet::from([Orphan::Volume("a".to_owned())]);
        let mut after = |minutes, alone| due(&mut known, alone, begun + Duration::from_mins(minutes), ALONE_FOR).len();
        assert_eq!((after(0, one()), after(9, one()), after(10, one())), (0, 0, 1));
        assert_eq!((after(11, BTreeSet::new()), after(12, one()), after(21, one()), after(22, one())), (0, 0, 0, 1));
    }
}
