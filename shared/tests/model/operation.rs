//! What can happen.

use proptest::{collection::vec, prelude::*};

/// How many workers there are.
pub(crate) const WORKERS: usize = 3;

/// How many jobs there are.
pub(crate) const JOBS: u64 = 40;

/// One thing that happens. Numbers that name one of several things count round; most of them name one to which it can
/// happen, the others one to which it should not.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// GitHub delivers a job, by the first or another GUID of its own.
    Enqueue { job: u64, guid: u8 },
    /// A worker asks for a job.
    Reserve { pool: usize, worker: usize },
    /// The worker that has a lease extends those that it has in that pool, but for some; and those that it had before a crash, as
    /// a zombie does. `ran`: it tells besides that the runner of the first has taken a job.
    Beat { lease: usize, without: u8, zombies: bool, ran: bool },
    /// A worker dies, and forgets what it held.
    Crash { worker: usize },
    /// The holder of a lease, live or not, says how far it has come.
    Progress { lease: usize, step: Step },
    /// The holder of a lease, live or not, ends it.
    Settle { lease: usize, how: How },
    /// GitHub cancels a job.
    Cancel { job: usize, guid: Option<u8> },
    /// GitHub gave a job to a runner; or, as it says twice of each, it says so again.
    Served { job: usize, by: By, completed: bool, guid: u8 },
    /// GitHub has a job in its queue, as whoever compares the two finds.
    Missed { job: usize },
    /// A worker finds a runner, and asks for its lease.
    Adopt { worker: usize, runner: usize },
    /// A worker asks which runners it has.
    Runners { pool: usize, worker: usize },
    /// An operator puts a dead letter back.
    Replay { job: usize },
    /// An operator drops a dead letter.
    Drop { job: usize },
    /// An operator changes a limit, or takes it back.
    Limit { pool: usize, limit: Limit, most: Option<u32> },
    /// A worker starts, with one of several settings.
    SetLimits { which: usize },
    /// A lease runs out.
    RunOut { lease: usize },
    /// A delayed job's time comes.
    Due { job: usize },
    /// GitHub says wait.
    Pause { pool: usize },
    /// The pause is over.
    Resume { pool: usize },
    /// A worker stops a pool.
    Stop { pool: usize },
    /// A stopped pool is to be tried again, by a worker or because its time has come.
    Try { pool: usize },
    /// Nobody reaches the store for a while.
    Outage { pool: usize },
    /// The time that workers have to be heard after that is over.
    Heard { pool: usize },
    /// A record expires. Days have passed, so that no lease is left: a worker that tells of one puts its job back.
    Forget { job: usize },
    /// A job has waited for too long.
    GrowOld { job: usize },
    /// A worker audits a pool.
    Audit { pool: usize },
    /// A worker asks for a warm runner, of which so many are wanted in each scope.
    Refill { pool: usize, worker: usize, wanted: [u8; 3] },
    /// The holder of a lease asks what becomes of its runner, which has no job: how many warm ones are wanted there, whether its own
    /// job is gone, whether it is outdated, and whether its worker has room.
    Spare { lease: usize, runner: (u8, bool, bool), room: usize },
    /// The time is over in which no warm runner is made in a scope.
    HeldOff { scope: usize },
}

/// What a worker has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Noted,
    Started,
    /// Its runner has taken a job.
    Ran,
    /// Its runner has ended for good.
    Exited,
    /// Its runner has failed, and nothing of it is up.
    Gone,
    /// It found the runner of an earlier attempt.
    Found(usize),
}

/// How a worker ends a lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum How {
    Done,
    /// The runner found no job.
    Idle,
    Retry,
    Dead,
    Cancelled,
    Release,
    ReleaseLater,
}

/// Whose runner took a job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Own(usize),
    Other(usize),
    Foreign,
    /// Of a job of which it was said before: the same runner.
    Again(usize),
}

/// What a limit is of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Pool,
    EachScope,
    Scope(usize),
}

/// Sequences of operations.
pub(crate) fn sequences() -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 1..300)
}

fn operation() -> impl Strategy<Value = Operation> {
    let (pool, worker, one) = (0..2_usize, 0..WORKERS, 0..400_usize);
    let waiting = prop_oneof![
        8 => (1..=JOBS, 0..3_u8).prop_map(|(job, guid)| Operation::Enqueue { job, guid }),
        3 => (one.clone(), proptest::option::of(0..2_u8)).prop_map(|(job, guid)| Operation::Cancel { job, guid }),
        3 => one.clone().prop_map(|job| Operation::Replay { job }),
        3 => one.clone().prop_map(|job| Operation::Missed { job }),
        1 => one.clone().prop_map(|job| Operation::Drop { job }),
    ];
    let leased = prop_oneof![
        18 => (pool.clone(), worker.clone()).prop_map(|(pool, worker)| Operation::Reserve { pool, worker }),
        8 => (one.clone(), prop_oneof![Just(0), any::<u8>()], any::<bool>(), any::<bool>())
            .prop_map(|(lease, without, zombies, ran)| Operation::Beat { lease, without, zombies, ran }),
        2 => worker.clone().prop_map(|worker| Operation::Crash { worker }),
        8 => (one.clone(), step()).prop_map(|(lease, step)| Operation::Progress { lease, step }),
        8 => (one.clone(), how()).prop_map(|(lease, how)| Operation::Settle { lease, how }),
        2 => (pool.clone(), worker.clone()).prop_map(|(pool, worker)| Operation::Runners { pool, worker }),
        6 => (worker.clone(), one.clone()).prop_map(|(worker, runner)| Operation::Adopt { worker, runner }),
        9 => (pool.clone(), worker, [0..3_u8, 0..3_u8, 0..3_u8])
            .prop_map(|(pool, worker, wanted)| Operation::Refill { pool, worker, wanted }),
        6 => (one.clone(), (0..3_u8, any::<bool>(), any::<bool>()), 0..5_usize)
            .prop_map(|(lease, runner, room)| Operation::Spare { lease, runner, room: room.saturating_sub(2) }),
    ];
    let served = (one.clone(), by(), any::<bool>(), 0..4_u8).prop_map(|(job, by, completed, guid)| Operation::Served {
        job,
        by,
        completed,
        guid,
    });
    let limits = prop_oneof![
        4 => (pool.clone(), limit(), proptest::option::of(0..6_u32))
            .prop_map(|(pool, limit, most)| Operation::Limit { pool, limit, most }),
        1 => (0..2_usize).prop_map(|which| Operation::SetLimits { which }),
    ];
    let time = prop_oneof![
        14 => one.clone().prop_map(|lease| Operation::RunOut { lease }),
        6 => one.clone().prop_map(|job| Operation::Due { job }),
        1 => pool.clone().prop_map(|pool| Operation::Pause { pool }),
        6 => pool.clone().prop_map(|pool| Operation::Resume { pool }),
        1 => pool.clone().prop_map(|pool| Operation::Stop { pool }),
        6 => pool.clone().prop_map(|pool| Operation::Try { pool }),
        1 => pool.clone().prop_map(|pool| Operation::Outage { pool }),
        6 => pool.clone().prop_map(|pool| Operation::Heard { pool }),
        2 => one.clone().prop_map(|job| Operation::Forget { job }),
        2 => one.clone().prop_map(|job| Operation::GrowOld { job }),
        2 => pool.prop_map(|pool| Operation::Audit { pool }),
        4 => one.clone().prop_map(|scope| Operation::HeldOff { scope }),
    ];
    prop_oneof![14 => waiting, 44 => leased, 18 => served, 2 => limits, 22 => time]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Noted),
        6 => Just(Step::Started),
        4 => Just(Step::Ran),
        2 => Just(Step::Exited),
        1 => Just(Step::Gone),
        2 => (0..10_usize).prop_map(Step::Found),
    ]
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        3 => Just(How::Done),
        2 => Just(How::Idle),
        3 => Just(How::Retry),
        2 => Just(How::Dead),
        1 => Just(How::Cancelled),
        1 => Just(How::Release),
        1 => Just(How::ReleaseLater),
    ]
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![
        2 => (0..10_usize).prop_map(By::Own),
        6 => (0..400_usize).prop_map(By::Other),
        1 => Just(By::Foreign),
        4 => (0..100_usize).prop_map(By::Again),
    ]
}

fn limit() -> impl Strategy<Value = Limit> {
    prop_oneof![Just(Limit::Pool), Just(Limit::EachScope), (0..3_usize).prop_map(Limit::Scope)]
}
