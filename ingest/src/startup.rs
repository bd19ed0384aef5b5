//! Puts the process together.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web::Data};
use anyhow::{Context as _, bail};
use shared::{
    admin::{Admin, ReadinessCheck, Refresh},
    pools::LivePools,
    queue::Queue,
    telemetry::{Registry, chain},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    admin::{Access, Csrf, Dashboard, Guard, Private, guard},
    config::Settings,
    listener::public_server,
    metrics::DeliveryMetrics,
    queue_metrics::QueueMetrics,
    webhook::{BodyLimits, Inbox, Signatures},
};

/// How many connections the private listener has open at once.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// How long the head of a request may take to arrive.
pub(crate) const HEAD_DEADLINE: Duration = Duration::from_secs(5);

/// How long requests may take to end once the process is told to stop, in seconds: less than the ten after which
/// `docker stop` kills.
pub(crate) const STOP_SECONDS: u64 = 5;

/// How long each listener may take to stop; after that it is dropped.
const STOP_DEADLINE: Duration = Duration::from_secs(STOP_SECONDS + 1);

/// How long the queue may take to answer whether it is there.
const READY_DEADLINE: Duration = Duration::from_secs(1);

/// The two listeners, bound and not yet serving.
pub struct Application {
    public: Server,
    admin: Server,
    port: u16,
    admin_port: u16,
    dashboard: Data<Dashboard>,
    queue: Queue,
    pools: LivePools,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application")
            .field("port", &self.port)
            .field("admin_port", &self.admin_port)
            .finish_non_exhaustive()
    }
}

impl Application {
    /// Binds both listeners. The queue need not be reachable: until it is, deliveries are answered with 503.
    ///
    /// # Errors
    ///
    /// When an address cannot be bound, naming the setting.
    pub fn build(settings: Settings) -> anyhow::Result<Self> {
        let registry = Registry::new("ingest");
        let queue = Queue::new(&settings.queue)?;
        let private = private(&settings, &registry, &queue)?;
        let dashboard = private.dashboard.clone();
        let (admin, admin_port) = admin_server(&private, settings.ingest.admin_bind)?;
        let inbox = Inbox::new(
            Signatures::new(&settings.secrets).context("AUTOSCALER_SECRET_TOKEN cannot be used")?,
            BodyLimits::new(usize::try_from(settings.ingest.max_body_bytes)?),
            settings.pools.clone(),
            settings.runner_name_prefix,
            DeliveryMetrics::new(&registry),
            queue.clone(),
        );
        let (public, port) = public_server(&inbox, settings.ingest.bind)?;
        Ok(Self { public, admin, port, admin_port, dashboard, queue, pools: settings.pools })
    }

    /// The public listener's port: the one it was given, if that was not 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The private listener's port.
    #[must_use]
    pub fn admin_port(&self) -> u16 {
        self.admin_port
    }

    /// Serves until `shutdown`; then takes no more connections, and ends once the requests there are have been
    /// answered, or after some seconds. The private listener goes last, so that the end can be watched.
    ///
    /// # Errors
    ///
    /// When a listener stops by itself.
    pub async fn run_until_stopped(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Self { mut public, mut admin, port, admin_port, dashboard, queue, pools } = self;
        info!(port, admin_port, "Waiting for deliveries");
        let watch = async {
            queue.reached().await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = watch => {}
            () = dashboard.follow() => {}
            followed = pools.follow(shutdown.clone()) => followed.context("cannot listen for SIGHUP")?,
            ended = &mut public => {
                ended.context("the public listener failed")?;
                bail!("the public listener stopped by itself");
            }
            ended = &mut admin => {
                ended.context("the private listener failed")?;
                bail!("the private listener stopped by itself");
            }
            () = shutdown.cancelled() => {}
        }
        dashboard.close();
        stop(&mut public).await.context("the public listener did not stop in an orderly way")?;
        let stopped = stop(&mut admin).await.context("the private listener did not stop in an orderly way");
        queue.let_go();
        stopped
    }
}

async fn stop(server: &mut Server) -> anyhow::Result<()> {
    let stopping = server.handle().stop(true);
    let ((), ended) = timeout(STOP_DEADLINE, async { tokio::join!(stopping, server) }).await?;
    Ok(ended?)
}

fn private(settings: &Settings, registry: &Registry, queue: &Queue) -> anyhow::Result<Private> {
    let seen = QueueMetrics::new(registry, queue.clone(), settings.pools.clone());
    let common = Admin { ready: readiness(queue.clone()), metrics: registry.clone(), refresh: Some(refresh(seen)) };
    let token = settings.ingest.admin_token.as_ref();
    let guard = Guard::new(token, registry).context("INGEST_ADMIN_TOKEN cannot be used")?;
    let csrf = Csrf::new(token.unwrap_or(&settings.secrets.secret_token)).context("no form can be sent")?;
    let access = Data::new(Access::new(queue.clone()));
    let dashboard = Data::new(Dashboard::new(access.clone()));
    Ok(Private { common, guard: Data::new(guard), access, csrf: Data::new(csrf), dashboard })
}

fn admin_server(private: &Private, bind: SocketAddr) -> anyhow::Result<(Server, u16)> {
    let private = private.clone();
    let server = HttpServer::new(move || App::new().wrap(from_fn(guard)).configure(|config| private.routes(config)))
        .workers(1)
        .max_connections(ADMIN_CONNECTIONS_MAX)
        .client_request_timeout(HEAD_DEADLINE)
        .shutdown_timeout(1)
        .disable_signals()
        .bind(bind)
        .with_context(|| format!("INGEST_ADMIN_BIND: cannot listen on {bind}"))?;
    let port = server.addrs().first().map_or(bind.port(), SocketAddr::port);
    Ok((server.run(), port))
}

fn refresh(seen: QueueMetrics) -> Refresh {
    Arc::new(move || {
        let seen = seen.clone();
        Box::pin(async move { seen.look().await })
    })
}

/// Ready is who can store a job.
fn readiness(queue: Queue) -> ReadinessCheck {
    Arc::new(move || {
        let queue = queue.clone();
        Box::pin(async move {
            match timeout(READY_DEADLINE, queue.ping()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(chain(&error)),
                Err(_) => Err(format!("the queue did not answer within {READY_DEADLINE:?}")),
            }
        })
    })
}
