//! Networks and volumes, which are names with labels here; and what the engine says of itself.

use std::collections::{BTreeMap, HashMap};

use actix_web::{
    HttpResponse,
    web::{self, Data, Json, Path, Query, ServiceConfig},
};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    answer::Refusal,
    container::{Container, Status},
    hub::Hub,
};

/// How many processors the engine has.
const CPUS: u32 = 4;

/// What was asked for when a network or a volume was created.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Named {
    name: String,
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Filtered {
    /// JSON: the name of a filter to its values.
    #[serde(default)]
    filters: Option<String>,
}

pub(super) fn calls(config: &mut ServiceConfig) {
    config
        .route("/info", web::get().to(info))
        .route("/networks", web::get().to(networks))
        .route("/networks/create", web::post().to(create_network))
        .route("/networks/{id}", web::delete().to(remove_network))
        .route("/volumes", web::get().to(volumes))
        .route("/volumes/create", web::post().to(create_volume))
        .route("/volumes/{id}", web::delete().to(remove_volume));
}

async fn info() -> Json<Value> {
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    Json(json!({ "NCPU": CPUS, "SystemTime": now, "CgroupVersion": "2", "Runtimes": { "runc": { "path": "runc" } } }))
}

fn network_document(network: &Named) -> Value {
    json!({ "Name": network.name, "Id": network.name, "Driver": "bridge", "Labels": network.labels })
}

fn volume_document(volume: &Named) -> Value {
    let place = format!("/volumes/{}/_data", volume.name);
    json!({ "Name": volume.name, "Driver": "local", "Mountpoint": place, "Labels": volume.labels, "Scope": "local", "Options": {} })
}

async fn networks(hub: Data<Hub>, query: Query<Filtered>) -> Result<Json<Vec<Value>>, Refusal> {
    let fits = filter(&query)?;
    Ok(Json(hub.look(|inner| inner.networks.values().filter(|network| fits(network)).map(network_document).collect())))
}

async fn create_network(hub: Data<Hub>, asked: Json<Named>) -> HttpResponse {
    let asked = asked.into_inner();
    let answer = json!({ "Id": asked.name, "Warning": "" });
    hub.look(|inner| inner.networks.insert(asked.name.clone(), asked));
    HttpResponse::Created().json(answer)
}

async fn remove_network(hub: Data<Hub>, name: Path<String>) -> Result<HttpResponse, Refusal> {
    let removed = hub.look(|inner| {
        let joined = |container: &Container| container.asked.host_config.network_mode == *name;
        if inner.containers.values().any(|container| container.status == Status::Running && joined(container)) {
            return Err(Refusal::in_use(&name));
        }
        inner.networks.remove(name.as_str()).ok_or_else(|| Refusal::no("network", &name))
    });
    removed.map(|_| HttpResponse::NoContent().finish())
}

async fn volumes(hub: Data<Hub>, query: Query<Filtered>) -> Result<Json<Value>, Refusal> {
    let fits = filter(&query)?;
    let found: Vec<Value> =
        hub.look(|inner| inner.volumes.values().filter(|volume| fits(volume)).map(volume_document).collect());
    Ok(Json(json!({ "Volumes": found, "Warnings": [] })))
}

async fn create_volume(hub: Data<Hub>, asked: Json<Named>) -> HttpResponse {
    let asked = asked.into_inner();
    let answer = volume_document(&asked);
    hub.look(|inner| inner.volumes.insert(asked.name.clone(), asked));
    HttpResponse::Created().json(answer)
}

async fn remove_volume(hub: Data<Hub>, name: Path<String>) -> Result<HttpResponse, Refusal> {
    let removed = hub.look(|inner| inner.volumes.remove(name.as_str()));
    removed.map(|_| HttpResponse::NoContent().finish()).ok_or_else(|| Refusal::no("volume", &name))
}

/// Whether something has the labels that are asked for, each by `name` or `name=value`.
fn filter(query: &Filtered) -> Result<impl Fn(&&Named) -> bool + use<>, Refusal> {
    let filters: HashMap<String, Vec<String>> = match &query.filters {
        Some(filters) => serde_json::from_str(filters).map_err(Refusal::odd)?,
        None => HashMap::new(),
    };
    let labels = filters.get("label").cloned().unwrap_or_default();
    Ok(move |named: &&Named| {
        labels.iter().all(|label| match label.split_once('=') {
            Some((name, value)) => named.labels.get(name).is_some_and(|has| has == value),
            None => named.labels.contains_key(label),
        })
    })
}
