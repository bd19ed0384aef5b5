//! Servers that do the least: each step more than the one before, up to what no receiver of webhooks can do without.

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    web::{self, Bytes, Data, PayloadConfig},
};
use anyhow::Context as _;
use clap::ValueEnum as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::SecretString;
use serde::Serialize;
use sha2::Sha256;
use shared::{
    model::{DeliveryId, HookTarget, Pools, RegisterAt, RunnerNamePrefix},
    pools,
    queue::{Queue, QueueConfig},
    settings::Environment,
    workflow_job::{Decision, WorkflowJobEvent, decide},
};
use tokio::sync::OnceCell;

use super::deliveries::SECRET;

/// How long a GUID is remembered, in milliseconds: a week.
const MEMORY: u64 = 604_800_000;

/// Nothing is stored twice, and one command does it.
const PUSH: &str = "if redis.call('SET', 'dlv:' .. ARGV[1], '', 'NX', 'PX', ARGV[2]) then redis.call('LPUSH', 'jobs', ARGV[3]) return 1 end return 0";

/// What is done of a delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, clap::ValueEnum)]
pub(in crate::bench) enum Step {
    /// Its body is read.
    Body,
    /// Its signature is proved.
    Hmac,
    /// The few fields that are needed are parsed.
    Parse,
    /// It is pushed onto a list, once by its GUID, by one script.
    Push,
    /// It is put into the queue by the queue's own script, with its job's record.
    Enqueue,
}

impl Step {
    /// Its name on the command line.
    pub(super) fn word(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Serves until it is killed.
#[derive(Clone, Debug, clap::Args)]
pub struct MinimalCommand {
    /// The port on the loopback interface
    #[arg(long)]
    port: u16,

    /// What is done of a delivery
    #[arg(long, value_enum)]
    step: Step,

    /// Where Redis is
    #[arg(long)]
    redis: String,

    /// The labels of the one pool
    #[arg(long)]
    labels: String,
}

/// What each of the server's threads has for itself.
struct Thread {
    step: Step,
    key: Hmac<Sha256>,
    client: redis::Client,
    connection: OnceCell<redis::aio::MultiplexedConnection>,
    script: redis::Script,
    queue: Queue,
    pools: Pools,
    prefix: RunnerNamePrefix,
}

impl MinimalCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let port = self.port;
        drop(self.thread()?); // any problem is told before it serves
        let server = HttpServer::new(move || {
            let app = App::new().app_data(PayloadConfig::new(1 << 20));
            // It was made once already.
            let app = match self.thread() {
                Ok(thread) => app.app_data(Data::new(thread)),
                Err(_) => app,
            };
            let get = web::resource("/").route(web::get().to(HttpResponse::NoContent));
            app.service(get).service(web::resource("/webhook").route(web::post().to(receive)))
        });
        Ok(server.workers(1).bind(("127.0.0.1", port))?.run().await?)
    }

    fn thread(&self) -> anyhow::Result<Thread> {
        let labels = self.labels.as_str();
        let (_, pools) = pools::load(&mut Environment::of([("RUNNER_LABELS", labels)]));
        let config = QueueConfig { url: SecretString::from(self.redis.as_str()), ..QueueConfig::default() };
        Ok(Thread {
            step: self.step,
            key: Hmac::new_from_slice(SECRET.as_bytes())?,
            client: redis::Client::open(self.redis.as_str())?,
            connection: OnceCell::new(),
            script: redis::Script::new(PUSH),
            queue: Queue::new(&config)?,
            pools: pools.now().as_ref().clone(),
            prefix: RunnerNamePrefix::default(),
        })
    }
}

async fn receive(request: HttpRequest, body: Bytes, thread: Data<Thread>) -> HttpResponse {
    match thread.receive(&request, &body).await {
        Ok(true) => HttpResponse::Accepted().finish(),
        Ok(false) => HttpResponse::Unauthorized().finish(),
        Err(error) => HttpResponse::InternalServerError().body(format!("{error:#}")),
    }
}

impl Thread {
    /// Whether it was signed.
    async fn receive(&self, request: &HttpRequest, body: &[u8]) -> anyhow::Result<bool> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        if self.step >= Step::Hmac {
            let claim = header("x-hub-signature-256").and_then(|value| value.strip_prefix("sha256="));
            let mut tag = [0; 32];
            hex::decode_to_slice(claim.context("no signature")?, &mut tag)?;
            if self.key.clone().chain_update(body).verify_slice(&tag).is_err() {
                return Ok(false);
            }
        }
        if self.step < Step::Parse {
            return Ok(true);
        }
        let event = WorkflowJobEvent::parse(body)?;
        let guid: DeliveryId = header("x-github-delivery").context("no GUID")?.parse().map_err(anyhow::Error::msg)?;
        let origin = event.origin(HookTarget::Repository, None, RegisterAt::HookTarget);
        let Decision::Enqueue(message) = decide(&event, &origin, &guid, &self.pools, &self.prefix) else {
            anyhow::bail!("the payload asks for no runner")
        };
        match self.step {
            Step::Push => {
                let connect = || self.client.get_multiplexed_async_connection();
                let mut connection = self.connection.get_or_try_init(connect).await?.clone();
                let text = serde_json::to_string(&message)?;
                let call = self.script.arg(guid.as_str()).arg(MEMORY).arg(text).invoke_async(&mut connection).await;
                let _stored: u32 = call?;
            }
            Step::Enqueue => drop(self.queue.enqueue(&message).await?),
            _ => {}
        }
        Ok(true)
    }
}
