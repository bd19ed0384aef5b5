//! The network of a worker's runners: a bridge in which they do not reach each other.
//!
//! One for all of them: making one takes as long as starting a container, and an engine has addresses for some thirty.

use std::{
    collections::{BTreeSet, HashMap},
    sync::PoisonError,
};

use bollard::{Docker, errors::Error, models::NetworkCreateRequest, query_parameters::ListNetworksOptionsBuilder};
use shared::model::WorkerName;
use tokio::sync::Mutex;
use tracing::info;

use super::connect::{ANSWER_TIMEOUT, CHANGE_TIMEOUT, bounded};
use crate::{provider::ProviderError, runner::label};

/// Has the engine drop what containers in the network send each other.
const NO_NEIGHBOURS: (&str, &str) = ("com.docker.network.bridge.enable_icc", "false");
const BRIDGE: &str = "bridge";

/// The networks that this provider uses, by their workers.
#[derive(Debug, Default)]
pub(super) struct Networks {
    used: std::sync::Mutex<BTreeSet<WorkerName>>,
    /// Held while one is made: an engine may make two of one name.
    making: Mutex<()>,
}

impl Networks {
    /// The id of the network of a worker's runners, which is made if it is not there. Whoever clears an engine up removes it as
    /// often as no runner is up, so that is looked at each time.
    pub(super) async fn ensure(&self, client: &Docker, worker: &WorkerName) -> Result<String, ProviderError> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(worker.clone());
        if let Some(id) = find(client, worker).await? {
            return Ok(id);
        }
        let _one_at_a_time = self.making.lock().await;
        match find(client, worker).await? {
            Some(id) => Ok(id),
            None => make(client, worker).await,
        }
    }

    /// Whether runners of that worker were made here.
    pub(super) fn uses(&self, worker: &str) -> bool {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|used| used.as_str() == worker)
    }

    /// Removes the networks that were used here and are no more.
    pub(super) async fn close(&self, client: &Docker) -> Result<(), ProviderError> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for worker in used {
            for (id, _) in list(client, &of(&worker)).await? {
                remove(client, &id).await?;
            }
        }
        Ok(())
    }
}

/// The networks that were made for workers, by a label, `name` or `name=value`: id and worker.
pub(super) async fn list(client: &Docker, label: &str) -> Result<Vec<(String, String)>, ProviderError> {
    let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let found = bounded("list networks", ANSWER_TIMEOUT, client.list_networks(Some(options))).await?;
    let read = found.into_iter().filter_map(|network| Some((network.id?, network.labels?.remove(label::WORKER)?)));
    Ok(read.collect())
}

/// Removes a network, unless a container is in it.
pub(super) async fn remove(client: &Docker, network: &str) -> Result<(), ProviderError> {
    let removing = async {
        match client.remove_network(network).await {
            // 403: containers are in it.
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 403 | 404, .. }) => Ok(()),
            removed => removed,
        }
    };
    bounded("remove a network", CHANGE_TIMEOUT, removing).await
}

/// The label of a worker's network.
fn of(worker: &WorkerName) -> String {
    format!("{}={worker}", label::WORKER)
}

/// By its label, and then by its id: an engine may have two of one name, made by two processes at once.
async fn find(client: &Docker, worker: &WorkerName) -> Result<Option<String>, ProviderError> {
    Ok(list(client, &of(worker)).await?.into_iter().map(|(id, _)| id).min())
}

async fn make(client: &Docker, worker: &WorkerName) -> Result<String, ProviderError> {
    let name = format!("autoscaler-{worker}");
    info!(network = name, "Making the runners' network");
    let request = NetworkCreateRequest {
        name,
        driver: Some(BRIDGE.to_owned()),
        options: Some([(NO_NEIGHBOURS.0.to_owned(), NO_NEIGHBOURS.1.to_owned())].into()),
        labels: Some([(label::WORKER.to_owned(), worker.to_string())].into()),
        ..NetworkCreateRequest::default()
    };
    Ok(bounded("make the runners' network", CHANGE_TIMEOUT, client.create_network(request)).await?.id)
}
