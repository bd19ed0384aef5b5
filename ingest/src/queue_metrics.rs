//! What the queue holds, as metrics. They are `ingest`'s because it is there when no worker is.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use shared::{
    model::PoolName,
    pools::LivePools,
    queue::{Happening, Queue, QueueError},
    status::{PoolStatus, Status},
    telemetry::{Registry, chain},
};
use tokio::time::timeout;
use tracing::warn;

/// How long the queue may take to be looked at; Prometheus waits for ten seconds.
const LOOK_DEADLINE: Duration = Duration::from_secs(2);

/// The queue, as it was when the metrics were asked for last.
#[derive(Clone)]
pub(crate) struct QueueMetrics {
    queue: Queue,
    pools: LivePools,
    seen: Arc<Seen>,
}

/// Nothing while the queue is away: old figures would look like new ones.
#[derive(Debug, Default)]
struct Seen(Mutex<Option<Look>>);

#[derive(Debug)]
struct Look {
    status: Status,
    /// Workers that have been heard of within a lease.
    workers: u64,
    totals: Vec<(PoolName, [(Happening, u64); Happening::ALL.len()])>,
}

/// The states of a pool's jobs, and how many are in each.
type Jobs = [(&'static str, u64); 6];

impl QueueMetrics {
    /// Adds the metrics to `registry`.
    pub(crate) fn new(registry: &Registry, queue: Queue, pools: LivePools) -> Self {
        let seen = Arc::<Seen>::default();
        registry.register(|registry| registry.register_collector(Box::new(Arc::clone(&seen))));
        Self { queue, pools, seen }
    }

    /// Looks at the queue.
    pub(crate) async fn look(&self) {
        let look = match timeout(LOOK_DEADLINE, self.read()).await {
            Ok(Ok(look)) => Some(look),
            Ok(Err(error)) => {
                warn!(error = %chain(&error), "Cannot look at the queue for its metrics");
                None
            }
            Err(_elapsed) => {
                warn!("Cannot look at the queue for its metrics: it did not answer within {LOOK_DEADLINE:?}");
                None
            }
        };
        *self.seen.0.lock().unwrap_or_else(PoisonError::into_inner) = look;
    }

    async fn read(&self) -> Result<Look, QueueError> {
        let mut status = self.queue.status().await?;
        // Those that have never had a job are not known to the queue.
        let configured = self.pools.now();
        for pool in configured.iter() {
            if status.pools.iter().all(|known| known.name != pool.name) {
                status.pools.push(PoolStatus::nothing_in(pool.name.clone()));
            }
        }
        let mut totals = Vec::with_capacity(status.pools.len());
        for pool in &status.pools {
            totals.push((pool.name.clone(), self.queue.totals(&pool.name).await?));
        }
        let lease = self.queue.config().lease_seconds.as_secs();
        let workers = status.workers.iter().filter(|worker| worker.seen_seconds <= lease).count();
        Ok(Look { status, workers: u64::try_from(workers).unwrap_or(u64::MAX), totals })
    }
}

fn jobs(pool: &PoolStatus) -> Jobs {
    let PoolStatus { pending, delayed, starting, running, orphaned, dead, .. } = *pool;
    [
        ("pending", pending),
        ("delayed", delayed),
        ("starting", starting),
        ("running", running),
        ("orphaned", orphaned),
        ("dead", dead),
    ]
}

impl Collector for Seen {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let look = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let up = ConstGauge::new(u64::from(look.is_some()));
        up.encode(gauge(&mut encoder, "queue_up", "Whether the queue answers")?)?;
        let Some(look) = look.as_ref() else { return Ok(()) };
        let help = "Workers that the queue has heard of within a lease";
        ConstGauge::new(look.workers).encode(gauge(&mut encoder, "queue_workers", help)?)?;
        let mut each = gauge(&mut encoder, "queue_limit", "How many runners a pool may have at once")?;
        for pool in &look.status.pools {
            of(&mut each, &[("pool", pool.name.as_str())], &ConstGauge::new(pool.limit))?;
        }
        let help = "How long the oldest pending job of a pool has waited";
        let mut each = gauge(&mut encoder, "queue_oldest_seconds", help)?;
        for pool in &look.status.pools {
            of(&mut each, &[("pool", pool.name.as_str())], &ConstGauge::new(pool.oldest_seconds))?;
        }
        let mut each = gauge(&mut encoder, "queue_jobs", "Jobs that have not ended, by pool and state")?;
        for pool in &look.status.pools {
            for (state, number) in jobs(pool) {
                of(&mut each, &[("pool", pool.name.as_str()), ("state", state)], &ConstGauge::new(number))?;
            }
        }
        let help = "How often what has happened to jobs of a pool";
        let mut each = encoder.encode_descriptor("jobs", help, None, MetricType::Counter)?;
        for (pool, counted) in &look.totals {
            for (happening, times) in counted {
                let labels = [("pool", pool.as_str()), ("what", happening.as_str())];
                of(&mut each, &labels, &ConstCounter::new(*times))?;
            }
        }
        Ok(())
    }
}

fn gauge<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &'a str,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)
}

fn of<const N: usize>(
    encoder: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_family(labels)?)
}
