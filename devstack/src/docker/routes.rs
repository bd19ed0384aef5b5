//! The calls of the API that are understood.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    web::{self, Bytes, Data, Json, Path, Query, ServiceConfig},
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    answer::Refusal,
    container::{Creation, Status},
    hub::Hub,
    program,
};

/// The version of the API, and of the engine that had it first.
const API: &str = "1.41";
const ENGINE: &str = "20.10.24";
/// The user of every image, by number, and its command: as those of GitHub's image.
const USER: &str = "1001:123";
const COMMAND: &str = "/bin/bash";
/// Where a container's folder is in it.
const HOME: &str = "/home/runner/";
/// How long what was killed may take to end.
const DEATH: Duration = Duration::from_secs(10);
/// How long a container may take to stop, unless it is said.
const STOP_SECONDS: u64 = 10;
/// The content type of a container's output.
const OUTPUT: &str = "application/vnd.docker.raw-stream";

/// All routes, with the version of the API in front, and without.
pub(super) fn routes(config: &mut ServiceConfig) {
    for version in ["/v{version:[0-9.]+}", ""] {
        let scope = web::scope(version).wrap(actix_web::middleware::from_fn(super::server::befallen));
        config.service(scope.configure(calls).configure(super::beside::calls));
    }
}

fn calls(config: &mut ServiceConfig) {
    config
        .route("/version", web::get().to(version))
        .route("/_ping", web::get().to(async || "OK"))
        .route("/build", web::post().to(build))
        .route("/images/create", web::post().to(pull))
        .route("/images/{id:.*}/json", web::get().to(image))
        .route("/distribution/{id:.*}/json", web::get().to(distribution))
        .route("/containers/json", web::get().to(list))
        .route("/containers/create", web::post().to(create))
        .route("/containers/{id}/json", web::get().to(inspect))
        .route("/containers/{id}/archive", web::put().to(upload))
        .route("/containers/{id}/archive", web::get().to(download))
        .route("/containers/{id}/rename", web::post().to(rename))
        .route("/containers/{id}/start", web::post().to(start))
        .route("/containers/{id}/stop", web::post().to(stop))
        .route("/containers/{id}/wait", web::post().to(wait))
        .route("/containers/{id}/logs", web::get().to(logs))
        .route("/containers/{id}", web::delete().to(remove));
}

/// The container, or the image, that a call is about.
#[derive(Deserialize)]
struct Addressed {
    id: String,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Deserialize)]
struct Pulled {
    #[serde(rename = "fromImage")]
    image: String,
}

#[derive(Deserialize)]
struct Filtered {
    /// JSON: the name of a filter to its values.
    #[serde(default)]
    filters: Option<String>,
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    follow: bool,
    #[serde(default)]
    tail: Option<String>,
}

#[derive(Deserialize)]
struct File {
    path: String,
}

#[derive(Deserialize)]
struct Grace {
    t: Option<u64>,
}

#[derive(Deserialize)]
struct Removal {
    #[serde(default)]
    force: bool,
}

async fn version() -> Json<Value> {
    Json(json!({
        "Version": ENGINE, "ApiVersion": API, "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64",
        "Platform": { "Name": "Stand-in" },
    }))
}

async fn image(hub: Data<Hub>, path: Path<Addressed>) -> Result<Json<Value>, Refusal> {
    let name = path.into_inner().id;
    let image = hub.image(&name).ok_or_else(|| Refusal::no_image(&name))?;
    let config = json!({ "User": USER, "Entrypoint": null, "Cmd": [COMMAND] });
    let id = hub.look(|inner| inner.image_id(&name));
    Ok(Json(json!({ "Id": id, "RepoTags": [image.name], "Config": config })))
}

async fn pull(pulled: Query<Pulled>) -> Result<HttpResponse, Refusal> {
    Err(Refusal::no_pull(&pulled.image))
}

/// There is no registry.
async fn distribution(image: Path<Addressed>) -> Result<HttpResponse, Refusal> {
    Err(Refusal::no_pull(&image.id))
}

async fn list(hub: Data<Hub>, query: Query<Filtered>) -> Result<Json<Vec<Value>>, Refusal> {
    let filters: HashMap<String, Vec<String>> = match &query.filters {
        Some(filters) => serde_json::from_str(filters).map_err(Refusal::odd)?,
        None => HashMap::new(),
    };
    if let Some(other) = filters.keys().find(|name| *name != "label") {
        return Err(Refusal::odd(format!("Invalid filter '{other}'")));
    }
    let labels = filters.get("label").cloned().unwrap_or_default();
    Ok(Json(hub.look(|inner| {
        let containers = inner.containers.values().filter(|container| query.all || container.status == Status::Running);
        let fitting = containers.filter(|container| labels.iter().all(|label| container.fits(label)));
        fitting.map(super::container::Container::summary).collect()
    })))
}

async fn create(hub: Data<Hub>, named: Query<Named>, asked: Json<Creation>) -> Result<HttpResponse, Refusal> {
    let id = hub.create(&named.name, asked.into_inner())?;
    Ok(HttpResponse::Created().json(json!({ "Id": id, "Warnings": [] })))
}

async fn inspect(hub: Data<Hub>, path: Path<Addressed>) -> Result<Json<Value>, Refusal> {
    hub.with(&path.id, |container| Json(container.document()))
}

async fn upload(hub: Data<Hub>, path: Path<Addressed>, archive: Bytes) -> Result<HttpResponse, Refusal> {
    hub.unpack(&path.id, &archive)?;
    Ok(HttpResponse::Ok().finish())
}

/// Its containers are folders with what was uploaded to the runner's home, and nothing to be looked up besides.
async fn download(hub: Data<Hub>, path: Path<Addressed>, file: Query<File>) -> Result<HttpResponse, Refusal> {
    let home = hub.with(&path.id, |container| container.home())?;
    let name = file.path.strip_prefix(HOME).ok_or_else(|| Refusal::no("file", &file.path))?;
    let archive = program::pack(home.path(), name).map_err(|_| Refusal::no("file", &file.path))?;
    Ok(HttpResponse::Ok().content_type("application/x-tar").body(archive))
}

async fn build() -> Result<HttpResponse, Refusal> {
    Err(Refusal::failed("this engine builds nothing"))
}

async fn start(hub: Data<Hub>, path: Path<Addressed>) -> Result<HttpResponse, Refusal> {
    let started = hub.into_inner().start(&path.id)?;
    Ok(if started { HttpResponse::NoContent() } else { HttpResponse::NotModified() }.finish())
}

async fn rename(hub: Data<Hub>, path: Path<Addressed>, named: Query<Named>) -> Result<HttpResponse, Refusal> {
    hub.rename(&path.id, &named.name)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn stop(hub: Data<Hub>, path: Path<Addressed>, grace: Query<Grace>) -> Result<HttpResponse, Refusal> {
    if !hub.stop(&path.id)? {
        return Ok(HttpResponse::NotModified().finish());
    }
    let grace = Duration::from_secs(grace.t.unwrap_or(STOP_SECONDS));
    if timeout(grace, end(&hub, &path.id)).await.is_err() {
        kill(&hub, &path.id).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

async fn remove(hub: Data<Hub>, path: Path<Addressed>, how: Query<Removal>) -> Result<HttpResponse, Refusal> {
    if how.force {
        kill(&hub, &path.id).await?;
    }
    hub.remove(&path.id)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Answers at once, and says when the container has ended.
async fn wait(hub: Data<Hub>, path: Path<Addressed>) -> Result<HttpResponse, Refusal> {
    let id = hub.with(&path.id, |container| container.id.clone())?;
    let code = async move {
        let code = end(&hub, &id).await.unwrap_or_default();
        Ok::<Bytes, Infallible>(Bytes::from(json!({ "StatusCode": code }).to_string()))
    };
    Ok(HttpResponse::Ok().content_type("application/json").streaming(stream::once(Box::pin(code))))
}

async fn logs(hub: Data<Hub>, path: Path<Addressed>, output: Query<Output>) -> Result<HttpResponse, Refusal> {
    let mut answer = HttpResponse::Ok();
    answer.content_type(OUTPUT);
    if output.follow {
        let id = hub.with(&path.id, |container| container.id.clone())?;
        return Ok(answer.streaming(Box::pin(follow(hub.into_inner(), id))));
    }
    let lines = output.tail.as_deref().and_then(|lines| lines.parse().ok()).unwrap_or(usize::MAX);
    Ok(answer.body(hub.with(&path.id, |container| container.log.last(lines))?))
}

/// What a container prints, from the first piece to its end.
fn follow(hub: Arc<Hub>, id: String) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let changes = hub.changes();
    stream::unfold((hub, id, changes, 0), async |(hub, id, mut changes, seen)| {
        loop {
            let looked = hub.with(&id, |container| {
                let new = container.log.frames_from(seen);
                (new, container.log.len(), container.status == Status::Running)
            });
            let Ok((new, length, runs)) = looked else { return None };
            if !new.is_empty() {
                return Some((Ok(Bytes::from(new)), (hub, id, changes, length)));
            }
            if !runs {
                return None;
            }
            changes.changed().await.ok()?;
        }
    })
}

/// Waits until a container does not run, and returns its exit code.
async fn end(hub: &Hub, id: &str) -> Result<i64, Refusal> {
    let mut changes = hub.changes();
    loop {
        let (status, code) = hub.with(id, |container| (container.status, container.code))?;
        if status != Status::Running {
            return Ok(code);
        }
        changes.changed().await.map_err(Refusal::failed)?;
    }
}

async fn kill(hub: &Hub, id: &str) -> Result<(), Refusal> {
    if hub.kill(id)? {
        timeout(DEATH, end(hub, id)).await.map_err(Refusal::failed)??;
    }
    Ok(())
}
