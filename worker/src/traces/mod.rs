//! Traces of jobs, for whoever collects them by OTLP.
//!
//! A job's spans are made of its record once it has ended: each has its very times, whichever workers had the job and however they
//! ended, nothing is held open while it runs, and what could not be sent is there for the next time.

mod client;
mod config;
mod exporter;
mod sampler;
mod spans;

use std::time::Duration;

use shared::{model::PoolName, queue::QueueError, telemetry::chain};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use config::TracesConfig;
use exporter::ExportError;
pub use exporter::Exporter;
pub use sampler::Sampler;

use crate::context::Context;

/// How often it is looked for jobs that have ended.
const EVERY: Duration = Duration::from_secs(1);

/// How soon it is tried again when the collector did not take what was sent.
const PAUSE: Duration = Duration::from_secs(10);

/// The most jobs whose spans are sent at once: a job has 10 to 20 of them.
const JOBS_MAX: usize = 50;

/// For how long one worker tells of a pool's jobs while it is not heard of again.
const HOLD: Duration = Duration::from_secs(30);

/// How long the last look may take when the worker stops.
const LAST_LOOK: Duration = Duration::from_secs(3);

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum TraceError {
    #[error("the collector at OTEL_EXPORTER_OTLP_ENDPOINT does not take them")]
    Collector(#[from] ExportError),
    #[error("the queue does not say which jobs have ended")]
    Queue(#[from] QueueError),
}

/// Sends the traces of jobs that have ended, until `stop`; without an exporter, nothing is done.
pub async fn run<P>(context: &Context<P>, exporter: Option<Exporter>, stop: CancellationToken) {
    let Some(exporter) = exporter else { return stop.cancelled().await };
    let mut fails = false;
    loop {
        let Some(looked) = stop.run_until_cancelled(look(context, &exporter)).await else { break };
        match &looked {
            Err(error) if !fails => warn!(error = %chain(error), "Cannot send traces; trying on"),
            Ok(()) if fails => info!("Traces are sent again"),
            _ => {}
        }
        fails = looked.is_err();
        if stop.run_until_cancelled(sleep(if fails { PAUSE } else { EVERY })).await.is_none() {
            break;
        }
    }
    // What it does not get done is done by the next worker.
    drop(timeout(LAST_LOOK, look(context, &exporter)).await);
}

async fn look<P>(context: &Context<P>, exporter: &Exporter) -> Result<(), TraceError> {
    for pool in &context.pools.names() {
        while look_at(context, exporter, pool).await? {}
    }
    Ok(())
}

/// Tells of some of a pool's jobs; `true` if there are more.
async fn look_at<P>(context: &Context<P>, exporter: &Exporter, pool: &PoolName) -> Result<bool, TraceError> {
    let queue = &context.queue;
    if !queue.may_tell(pool, &context.worker, HOLD).await? {
        return Ok(false);
    }
    let ended = queue.ended(pool, JOBS_MAX).await?;
    if ended.jobs.is_empty() && !ended.more {
        return Ok(false);
    }
    let spans = ended.jobs.iter().flat_map(|(message, record)| match &message.trace {
        Some(trace) if exporter.sampler().takes(trace) => spans::of(trace, message, record),
        _ => Vec::new(),
    });
    let sent = exporter.send(spans.collect()).await;
    if let Ok(()) | Err(ExportError::Never(_)) = sent {
        queue.told(pool, ended.until).await?;
    }
    sent?;
    Ok(ended.more)
}
