//! What the jobs of a runner have left on the host's engine: whatever they make carries a label that is that runner's alone.

use std::collections::HashMap;

use bollard::{
    Docker,
    query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder},
};
use sha2::{Digest as _, Sha256};
use shared::telemetry::chain;
use tracing::{info, warn};

use super::{
    beside,
    connect::{CHANGE_TIMEOUT, bounded},
    download, network,
};
use crate::{
    provider::{ProviderError, RunnerHandle},
    runner::{RUNNER_HOME, label},
};

/// How many bytes of the hash the label has.
const BYTES: usize = 3;

/// Removes what the jobs of a runner have left, if it can be known which label is its own.
pub(super) async fn remove(client: &Docker, runner: &RunnerHandle) -> Result<(), ProviderError> {
    let path = format!("{RUNNER_HOME}/.runner");
    match download::text(client, &runner.id, &path, "read which runner it is").await {
        Ok(Some(settings)) => remove_labelled(client, &label_of(&settings)).await,
        Ok(None) | Err(ProviderError::Gone) => Ok(()),
        Err(error @ ProviderError::Unavailable { .. }) => Err(error),
        Err(error) => {
            warn!(runner.name = %runner.name, error = %chain(&error), "Cannot find out what its jobs have left");
            Ok(())
        }
    }
}

/// The key of a runner's label, by the text of its file `.runner`, as the runner itself makes it.
fn label_of(settings: &str) -> String {
    let settings = settings.strip_prefix('\u{feff}').unwrap_or(settings).to_lowercase();
    Sha256::digest(settings)[..BYTES].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

async fn remove_labelled(client: &Docker, key: &str) -> Result<(), ProviderError> {
    let filters = HashMap::from([("label".to_owned(), vec![key.to_owned()])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    for container in bounded("list containers", CHANGE_TIMEOUT, client.list_containers(Some(options))).await? {
        if let Some(id) = container.id.filter(|_| is_a_jobs(container.labels.as_ref(), key)) {
            beside::remove_container(client, &id, "remove a container that a job has left").await?;
            info!(container = id, "Removed a container that a job has left");
        }
    }
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    for found in bounded("list networks", CHANGE_TIMEOUT, client.list_networks(Some(options))).await? {
        if let Some(id) = found.id.filter(|_| is_a_jobs(found.labels.as_ref(), key)) {
            network::remove(client, &id).await?;
            info!(network = id, "Removed a network that a job has left");
        }
    }
    let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
    let found = bounded("list volumes", CHANGE_TIMEOUT, client.list_volumes(Some(options))).await?;
    for volume in found.volumes.unwrap_or_default() {
        if is_a_jobs(Some(&volume.labels), key) {
            beside::remove_volume(client, &volume.name).await?;
            info!(volume = volume.name, "Removed a volume that a job has left");
        }
    }
    Ok(())
}

/// The runner gives its label no value. What is a worker's is no job's, whatever labels it has besides.
fn is_a_jobs(labels: Option<&HashMap<String, String>>, key: &str) -> bool {
    labels.is_some_and(|labels| labels.get(key).is_some_and(String::is_empty) && !labels.contains_key(label::WORKER))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `printf %s '{"agentid":1,"agentname":"gha-7-1"}' | sha256sum`.
    #[test]
    fn the_label_is_of_the_text_in_lower_case_and_without_its_mark() {
        let key = "59d732";
        for text in ["{\"agentid\":1,\"agentname\":\"gha-7-1\"}", "\u{feff}{\"AgentId\":1,\"AgentName\":\"gha-7-1\"}"] {
            assert_eq!(label_of(text), key);
        }
        assert_ne!(label_of("{\"AgentId\":2,\"AgentName\":\"gha-7-1\"}"), key);
    }

    #[test]
    fn only_what_has_the_key_without_a_value_is_a_jobs() {
        let is = |labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            is_a_jobs(Some(&labels), "0123ab")
        };
        assert!(is(&[("0123ab", "")]) && is(&[("0123ab", ""), ("mine", "yes")]));
        for others in
            [&[("0123ab", "x")][..], &[("0123abc", "")], &[("x", "0123ab")], &[("0123ab", ""), (label::WORKER, "w")]]
        {
            assert!(!is(others), "{others:?}");
        }
        assert!(!is_a_jobs(None, "0123ab"));
    }
}
