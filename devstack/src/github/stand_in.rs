//! A stand-in, as its owner has it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc::sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use shared::model::Scope;
use tokio::{sync::mpsc::unbounded_channel, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Befallen, Call, Config, Delivered, Fault, GroupId, JobSpec, JobStatus, JobView, Mischief, OddPayload, RunnerView,
    Webhook, hub::Hub, server,
};

/// A server that stands in for GitHub, in a thread of its own. Dropped, it stops.
#[derive(Debug)]
pub struct StandIn {
    hub: Arc<Hub>,
    url: String,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Why there is no stand-in.
#[derive(Debug, thiserror::Error)]
#[error("the stand-in for GitHub cannot listen at {bind}")]
pub struct StandInError {
    bind: SocketAddr,
    source: io::Error,
}

/// Something that was waited for did not happen.
#[derive(Debug, thiserror::Error)]
#[error("not within {within:?}: {what}; this is how it stands:\n{stands}")]
pub struct TooLate {
    what: String,
    within: Duration,
    stands: String,
}

#[allow(clippy::must_use_candidate)] // of what changes something, the answer may not matter
impl StandIn {
    /// Starts a stand-in. When this returns, it answers.
    ///
    /// # Errors
    ///
    /// [`StandInError`], when it cannot listen at the address.
    pub fn start(config: Config) -> Result<Self, StandInError> {
        let bind = config.bind;
        Self::launch(config).map_err(|source| StandInError { bind, source })
    }

    fn launch(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind(config.bind)?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let public_url =
            config.public_url.clone().map_or_else(|| url.clone(), |url| url.trim_end_matches('/').to_owned());
        let (sender, events) = unbounded_channel();
        let hub = Arc::new(Hub::new(config, public_url, sender));
        let shutdown = CancellationToken::new();
        let (ready, started) = sync_channel(1);
        let thread = thread::Builder::new().name("stand-in".to_owned()).spawn({
            let (hub, shutdown) = (hub.clone(), shutdown.clone());
            move || server::run(hub, listener, events, &shutdown, &ready)
        })?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self { hub, url, shutdown, thread: Some(thread) })
    }

    /// Its address, for `AUTOSCALER_GITHUB_URL`. The API is below it, at `/api/v3`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its address for runners.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.hub.public_url
    }

    /// Stops it, and waits until its port is free. Requests that wait are broken off.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default(); // it has reported what made it panic
        }
    }

    /// Where webhooks go from now on.
    pub fn set_webhook(&self, webhook: impl Into<Option<Webhook>>) {
        self.hub.set_webhook(webhook.into());
    }

    /// Asks for a fault.
    pub fn fault(&self, fault: Fault) {
        self.hub.look(|inner| inner.faults.add(fault));
    }

    /// Takes back every fault that is still to come.
    pub fn clear_faults(&self) {
        self.hub.look(|inner| inner.faults.clear());
    }

    /// How many calls will still be befallen by a fault.
    #[must_use]
    pub fn faults_left(&self) -> u32 {
        self.hub.look(|inner| inner.faults.left())
    }

    /// Lets the secondary limit be reached: all calls of the API are refused for so long, and say how long that is yet.
    pub fn limit_calls(&self, period: Duration) {
        self.hub.limit(period);
    }

    /// Makes the tokens of all Apps' installations bad before their time.
    pub fn revoke_installation_tokens(&self) {
        self.hub.revoke();
    }

    /// Adds a runner group to an organization or enterprise. Its runners take jobs of `repositories` only (`owner/name`),
    /// if any are given.
    pub fn add_group(&self, scope: &Scope, name: &str, repositories: Option<Vec<String>>) -> GroupId {
        self.hub.change(|state, _| state.add_group(scope, name, repositories))
    }

    /// Queues a job, and sends the webhook that says so. Returns its id.
    pub fn queue_job(&self, spec: JobSpec) -> u64 {
        self.hub.change(|state, now| {
            let id = state.add_job(spec, now);
            state.tell(id);
            id
        })
    }

    /// Queues a job of which no webhook tells, as when a delivery is lost. Returns its id.
    pub fn add_job(&self, spec: JobSpec) -> u64 {
        self.hub.change(|state, now| state.add_job(spec, now))
    }

    /// Queues the job that a webhook's body tells of, whoever wrote it: runners can take it then. Returns its id.
    ///
    /// # Errors
    ///
    /// [`OddPayload`], when no job can be made of it.
    pub fn add_job_from_payload(&self, body: &[u8], script: &str) -> Result<u64, OddPayload> {
        self.hub.change(|state, now| state.adopt_job(body, script, now))
    }

    /// Sends the webhook that tells of the job as it stands. Returns whether there is such a job.
    pub fn send_webhook(&self, job: u64) -> bool {
        self.hub.change(|state, _| state.tell(job))
    }

    /// The body of the webhook that tells of the job as it stands.
    #[must_use]
    pub fn payload(&self, job: u64) -> Option<Vec<u8>> {
        self.hub.look(|inner| inner.state.payload(job))
    }

    /// Cancels a job, and sends the webhook that says so: at once, or when its runner has stopped. Returns whether there
    /// was something to cancel.
    pub fn cancel_job(&self, job: u64) -> bool {
        self.hub.change(|state, now| state.cancel_job(job, now))
    }

    /// A job as it stands.
    #[must_use]
    pub fn job(&self, id: u64) -> Option<JobView> {
        self.hub.look(|inner| inner.state.job_view(id))
    }

    /// All jobs.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobView> {
        self.hub.look(|inner| inner.state.job_views())
    }

    /// All registered runners.
    #[must_use]
    pub fn runners(&self) -> Vec<RunnerView> {
        self.hub.look(|inner| inner.state.runner_views())
    }

    /// The webhooks that were answered or not, in the order of the answers.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivered> {
        self.hub.look(|inner| inner.delivered.clone())
    }

    /// Delivers again, with their GUIDs, the webhooks that failed since this was last done. GitHub does so only when it is
    /// asked to. Returns how many.
    pub fn redeliver_failed(&self) -> usize {
        self.hub.redeliver()
    }

    /// Has webhooks befallen by mischief from now on, or by none.
    pub fn set_mischief(&self, mischief: impl Into<Option<Mischief>>) {
        self.hub.set_mischief(mischief.into());
    }

    /// What befell webhooks since mischief was set.
    #[must_use]
    pub fn befallen(&self) -> Befallen {
        self.hub.befallen()
    }

    /// The last calls of the API and the runners' protocol, 20,000 at most.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.hub.look(|inner| inner.calls.all())
    }

    /// How often this call was made: `POST`, `/orgs/{org}/actions/runners/registration-token`.
    #[must_use]
    pub fn count(&self, method: &str, route: &str) -> u64 {
        let key = (method.to_owned(), route.to_owned());
        self.hub.look(|inner| inner.calls.counts().get(&key).copied().unwrap_or_default())
    }

    /// Waits until the job has come that far, and returns it.
    ///
    /// # Errors
    ///
    /// [`TooLate`]
    pub async fn wait_for_job(&self, id: u64, status: JobStatus, within: Duration) -> Result<JobView, TooLate> {
        let there = || self.job(id).filter(|job| job.status >= status);
        self.wait_for(&format!("job {id} is {}", status.as_str()), within, there).await
    }

    /// Waits until `look` finds something: it is called at each change.
    ///
    /// # Errors
    ///
    /// [`TooLate`], with `what` was waited for.
    pub async fn wait_for<T>(&self, what: &str, within: Duration, look: impl Fn() -> Option<T>) -> Result<T, TooLate> {
        let mut changes = self.hub.changes();
        let found = async {
            loop {
                if let Some(found) = look() {
                    return found;
                }
                // Fails only without a hub, which this has.
                changes.changed().await.unwrap_or_default();
            }
        };
        timeout(within, found).await.map_err(|_| TooLate { what: what.to_owned(), within, stands: self.stands() })
    }

    /// How things stand, for an error.
    fn stands(&self) -> String {
        let runners = self.runners().into_iter().map(|runner| format!("{runner:?}"));
        let jobs = self.jobs().into_iter().map(|job| format!("{job:?}"));
        runners.chain(jobs).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.end();
    }
}
