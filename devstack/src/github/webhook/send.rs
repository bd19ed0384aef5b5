//! Sends what the outbox holds: each webhook once, as GitHub does, whatever becomes of it.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Instant,
};

use shared::telemetry::chain;
use tokio::{
    sync::{Mutex, Semaphore, mpsc::UnboundedReceiver},
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Delivered;
use crate::{
    deliver::{self, Delivery},
    github::{hooks::Way, hub::Hub, state::Event},
};

/// How many deliveries wait for their answers at once.
const AT_ONCE: usize = 256;

/// The task that sends.
#[derive(Debug)]
pub(in crate::github) struct Sender {
    hub: Arc<Hub>,
    client: reqwest::Client,
    slots: Arc<Semaphore>,
    /// Held while a delivery about that job is on its way: those about one job arrive in order.
    turns: HashMap<u64, Weak<Mutex<()>>>,
}

impl Sender {
    pub(in crate::github) fn new(hub: Arc<Hub>) -> reqwest::Result<Self> {
        let client = deliver::client()?;
        Ok(Self { hub, client, slots: Arc::new(Semaphore::new(AT_ONCE)), turns: HashMap::new() })
    }

    /// Sends each event, until `shutdown`. What is on its way then is broken off.
    pub(in crate::github) async fn run(mut self, mut events: UnboundedReceiver<Event>, shutdown: CancellationToken) {
        let mut tasks = JoinSet::new();
        while let Some(Some(event)) = shutdown.run_until_cancelled(events.recv()).await {
            while tasks.try_join_next().is_some() {}
            let ways = self.hub.ways(&event);
            let (turn, slots) = (self.turn(event.job), self.slots.clone());
            let (hub, client) = (self.hub.clone(), self.client.clone());
            tasks.spawn(async move {
                sleep(event.late).await;
                // In the order of the events, for the lock is fair.
                let _turn = turn.lock().await;
                let _slot = slots.acquire().await;
                for way in ways {
                    send(&hub, &client, &way, event.clone()).await;
                }
            });
        }
    }

    fn turn(&mut self, job: u64) -> Arc<Mutex<()>> {
        self.turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = self.turns.get(&job).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        self.turns.insert(job, Arc::downgrade(&turn));
        turn
    }
}

async fn send(hub: &Hub, client: &reqwest::Client, Way { hook, webhook }: &Way, event: Event) {
    let delivery = Delivery {
        url: webhook.url.clone(),
        event: event.name.to_owned(),
        guid: event.guid.clone().unwrap_or_else(deliver::guid),
        hook: *hook,
        target: webhook.target.unwrap_or(event.target),
        content_type: webhook.content_type,
        payload: event.body.clone(),
    };
    let target = delivery.target;
    let (at, begun) = (time::OffsetDateTime::now_utc(), Instant::now());
    let (status, answer) = match delivery.send(client, &webhook.secret).await {
        Ok(answer) => (Some(answer.status), answer.body),
        Err(error) => {
            warn!(delivery.id = %delivery.guid, job.id = event.job, error = %chain(&error), "A webhook was not delivered");
            (None, chain(&error))
        }
    };
    debug!(delivery.id = %delivery.guid, job.id = event.job, action = event.action, status, "Sent a webhook");
    let delivered = Delivered {
        id: 0, // is given when it is kept
        hook: *hook,
        guid: delivery.guid,
        event: delivery.event,
        action: event.action.to_owned(),
        job: event.job,
        repository: event.repository.clone(),
        target,
        redelivery: event.again,
        at,
        took: begun.elapsed(),
        status,
        answer,
    };
    hub.delivered(delivered, event);
}
