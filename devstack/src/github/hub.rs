//! The one state that the API, the runners' protocol and the owner of a stand-in all look at, behind its lock.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::ExposeSecret;
use shared::model::Scope;
use time::OffsetDateTime;
use tokio::sync::{mpsc::UnboundedSender, watch};

use super::{
    App, Call, Config, Permissions, Token, Webhook,
    app::{Issued, Mistake, Shown},
    calls::Calls,
    fault::Faults,
    hooks::{Hook, Hooks, Way},
    rate::{Budget, Budgets, Grant},
    state::{Event, State},
    webhook::{Befallen, Delivered, Imp, Mischief},
};
use crate::deliver::HOOK_ID;

/// The id of the first attempt at a delivery.
const FIRST_DELIVERY: u64 = 90_000_000_001;
/// How many deliveries that failed are kept.
const FAILED_KEPT: usize = 10_000;
/// The requests of those who give no token.
const ANONYMOUS_LIMIT: u32 = 60;

/// Everything that changes.
pub(super) struct Inner {
    pub(super) state: State,
    pub(super) faults: Faults,
    pub(super) calls: Calls,
    pub(super) delivered: Vec<Delivered>,
    pub(super) hooks: Hooks,
    /// The last deliveries that failed, by their ids.
    failed: BTreeMap<u64, Event>,
    /// Who meddles with webhooks, if somebody does.
    imp: Option<Imp>,
    budgets: Budgets,
    /// Until when calls are refused, because the secondary limit is reached.
    limited: Option<OffsetDateTime>,
    webhook: Option<Webhook>,
    tokens: Vec<Token>,
    issued: Issued,
}

/// The state, those who wait for it to change, and the way out for webhooks.
pub(super) struct Hub {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
    events: UnboundedSender<Event>,
    pub(super) config: Config,
    pub(super) public_url: String,
}

/// Whose call it is.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// What it may do; nothing is known of those without a token, or with a wrong one.
    pub(super) permissions: Option<Permissions>,
    /// The App that says who it is, or why it is not believed.
    pub(super) app: Option<Result<App, Mistake>>,
    /// Where it stands.
    pub(super) budget: Budget,
    /// Whether it has made too many requests.
    pub(super) exhausted: bool,
    /// How long no calls are wanted, if the secondary limit is reached.
    pub(super) limited: Option<Duration>,
}

impl fmt::Debug for Hub {
    /// Leaves out the state, in which there are tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

impl Hub {
    pub(super) fn new(config: Config, public_url: String, events: UnboundedSender<Event>) -> Self {
        let inner = Inner {
            state: State::new(&config, public_url.clone()),
            faults: Faults::default(),
            calls: Calls::default(),
            delivered: Vec::new(),
            hooks: Hooks::default(),
            failed: BTreeMap::new(),
            imp: None,
            budgets: Budgets::default(),
            limited: None,
            webhook: config.webhook.clone(),
            tokens: config.tokens.clone(),
            issued: Issued::default(),
        };
        Self { inner: Mutex::new(inner), changed: watch::Sender::new(()), events, config, public_url }
    }

    /// Changes the state, sends the webhooks that follow, and wakes those who wait for a change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State, OffsetDateTime) -> T) -> T {
        let (changed, events) = {
            let state = &mut self.lock().state;
            (change(state, OffsetDateTime::now_utc()), state.take_events())
        };
        self.send(events);
        changed
    }

    /// The same for a change that mostly changes nothing: those who wait are woken only if webhooks follow.
    pub(super) fn settle<T>(&self, change: impl FnOnce(&mut State, OffsetDateTime) -> T) -> T {
        let (settled, events) = {
            let state = &mut self.lock().state;
            (change(state, OffsetDateTime::now_utc()), state.take_events())
        };
        if !events.is_empty() {
            self.send(events);
        }
        settled
    }

    /// Looks at everything.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.lock())
    }

    /// Sees every change from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Finds out who calls, and charges the call unless it is `free`.
    pub(super) fn caller(&self, token: Option<&str>, free: bool) -> Caller {
        let mut inner = self.lock();
        let now = OffsetDateTime::now_utc();
        let app = token.and_then(Shown::of).map(|shown| shown.check(&self.config.apps, now).cloned());
        let known = |known: &&Token| token.is_some_and(|token| known.token.expose_secret() == token);
        let permissions = inner.tokens.iter().find(known).map(|token| token.permissions.clone());
        let installation = token.and_then(|token| inner.issued.installation(token, now));
        let permissions = permissions.or_else(|| self.permissions_of(installation?));
        let named = permissions.is_some() || matches!(app, Some(Ok(_)));
        let limit = if named { self.config.rate_limit } else { ANONYMOUS_LIMIT };
        let grant = Grant { limit, period: self.config.rate_period };
        // The tokens of an installation share its limit, and an App has one of its own.
        let name = match (&app, installation) {
            (Some(Ok(app)), _) => format!("app {}", app.id),
            (_, Some(id)) => format!("installation {id}"),
            _ => token.filter(|_| named).unwrap_or_default().to_owned(),
        };
        let name = name.as_str();
        let charged = if free { None } else { inner.budgets.charge(name, grant, now) };
        let exhausted = !free && charged.is_none();
        let budget = charged.unwrap_or_else(|| inner.budgets.look(name, grant, now));
        let limited = inner.limited.and_then(|until| Duration::try_from(until - now).ok());
        Caller { permissions, app, budget, exhausted, limited }
    }

    /// Refuses all calls for so long.
    pub(super) fn limit(&self, period: Duration) {
        self.lock().limited = Some(OffsetDateTime::now_utc() + period);
    }

    fn permissions_of(&self, installation: u64) -> Option<Permissions> {
        let mut installations = self.config.apps.iter().flat_map(|app| &app.installations);
        installations.find(|known| known.id == installation).map(|known| known.permissions.clone())
    }

    /// Gives an installation a token, and says when it ends.
    pub(super) fn issue(&self, installation: u64) -> (String, OffsetDateTime) {
        let end = OffsetDateTime::now_utc() + self.config.timings.installation_token;
        (self.lock().issued.issue(installation, end), end)
    }

    /// Makes the tokens of installations bad before their time.
    pub(super) fn revoke(&self) {
        self.lock().issued.revoke();
    }

    pub(super) fn called(&self, call: Call) {
        self.lock().calls.add(call);
        self.wake();
    }

    /// Keeps what became of a delivery, and, if it failed, what was delivered.
    pub(super) fn delivered(&self, mut delivered: Delivered, event: Event) {
        let mut inner = self.lock();
        delivered.id = inner.delivered.last().map_or(FIRST_DELIVERY, |last| last.id + 1);
        if !delivered.status.is_some_and(|status| (200..300).contains(&status)) {
            if inner.failed.len() == FAILED_KEPT {
                inner.failed.pop_first();
            }
            let again = Event {
                guid: Some(delivered.guid.clone()),
                hook: Some(delivered.hook),
                again: true,
                late: Duration::ZERO,
                ..event
            };
            inner.failed.insert(delivered.id, again);
        }
        inner.delivered.push(delivered);
        drop(inner);
        self.wake();
    }

    /// Sends again what failed. Returns how many deliveries that are.
    pub(super) fn redeliver(&self) -> usize {
        let failed = std::mem::take(&mut self.lock().failed);
        let count = failed.len();
        self.send(failed.into_values());
        count
    }

    /// Sends one again that failed. Returns whether there is such a one.
    pub(super) fn redeliver_one(&self, delivery: u64) -> bool {
        let failed = self.lock().failed.remove(&delivery);
        let known = failed.is_some();
        self.send(failed);
        known
    }

    /// Has somebody meddle with webhooks from now on, or nobody.
    pub(super) fn set_mischief(&self, mischief: Option<Mischief>) {
        self.lock().imp = mischief.map(Imp::new);
    }

    /// What befell webhooks since.
    pub(super) fn befallen(&self) -> Befallen {
        self.lock().imp.as_ref().map(|imp| imp.befallen).unwrap_or_default()
    }

    pub(super) fn webhook(&self) -> Option<Webhook> {
        self.lock().webhook.clone()
    }

    /// The webhooks of a place, the stand-in's own first.
    pub(super) fn hooks(&self, place: &Scope) -> Vec<Hook> {
        let inner = self.lock();
        let own = inner.webhook.as_ref().and_then(|webhook| Hook::own(webhook, place));
        own.into_iter().chain(inner.hooks.at(place)).collect()
    }

    /// The webhooks that an event goes to.
    pub(super) fn ways(&self, event: &Event) -> Vec<Way> {
        let inner = self.lock();
        let own = inner.webhook.clone().filter(|_| event.hook.is_none_or(|hook| hook == HOOK_ID));
        let own = own.map(|webhook| Way { hook: HOOK_ID, webhook });
        own.into_iter().chain(inner.hooks.ways(event)).collect()
    }

    /// Sends a webhook that follows from no change of jobs.
    pub(super) fn announce(&self, event: Event) {
        self.send([event]);
    }

    pub(super) fn set_webhook(&self, webhook: Option<Webhook>) {
        self.lock().webhook = webhook;
    }

    /// Lets those who wait for a change look again.
    pub(super) fn wake(&self) {
        self.changed.send_replace(());
    }

    fn send(&self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            let sent = match &mut self.lock().imp {
                Some(imp) if !event.again => imp.meddle(event),
                _ => vec![event],
            };
            for event in sent {
                drop(self.events.send(event)); // fails only once the stand-in has stopped
            }
        }
        self.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
