//! The scripts, each with what they have in common before it.

use std::sync::LazyLock;

use redis::{Arg, Cmd, ToRedisArgs, cmd};

/// A script.
#[derive(Debug)]
pub(super) struct Script {
    name: &'static str,
    code: &'static str,
    sha1: String,
}

/// A call of a script.
#[derive(Debug)]
pub(super) struct Call {
    script: &'static Script,
    by_hash: Cmd,
}

impl Script {
    fn new(name: &'static str, code: &'static str) -> Self {
        Self { name, code, sha1: redis::Script::new(code).get_hash().to_owned() }
    }

    /// Begins a call. `key` stands for all keys that the script uses: they are in the slot of that one.
    pub(super) fn key(&'static self, key: &str) -> Call {
        let mut by_hash = cmd("EVALSHA");
        by_hash.arg(&self.sha1).arg(1).arg(key);
        Call { script: self, by_hash }
    }

    /// What it is written as. The first line says of what kind it is, in Redis' way.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    /// What tells it from others.
    pub(super) fn sha1(&self) -> &str {
        &self.sha1
    }

    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        self.code.lines().next().is_some_and(|first| first.contains("no-writes"))
    }
}

impl Call {
    /// Adds an argument.
    pub(super) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.by_hash.arg(argument);
        self
    }

    /// The script that is called.
    pub(super) fn script(&self) -> &'static Script {
        self.script
    }

    /// The key and then the arguments.
    pub(super) fn arguments(&self) -> Vec<Vec<u8>> {
        bytes(&self.by_hash).into_iter().skip(3).collect()
    }

    /// The call of a script that the store has.
    pub(super) fn by_hash(&self) -> &Cmd {
        &self.by_hash
    }

    /// The call with the script itself, for a store that does not have it: a node of a cluster gets it this way without
    /// a word to the others, one of which may be down.
    pub(super) fn in_full(&self) -> Cmd {
        let mut call = cmd("EVAL");
        call.arg(self.script.code);
        call.arg(&bytes(&self.by_hash)[2..]);
        call
    }
}

/// A command's name and arguments.
pub(super) fn bytes(command: &Cmd) -> Vec<Vec<u8>> {
    let simple = |argument: Arg<&[u8]>| match argument {
        Arg::Simple(bytes) => Some(bytes.to_vec()),
        _ => None,
    };
    command.args_iter().filter_map(simple).collect()
}

/// Puts a script together. `allow-oom`: it goes on when the store's memory is full, so that what is in the queue
/// can leave it; only what comes in is refused then.
macro_rules! script {
    ($name:ident, $flags:literal, $($file:literal),+) => {
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(stringify!($name), concat!("#!lua", $flags, "\n", include_str!("scripts/lib.lua"), $(include_str!(concat!("scripts/", $file, ".lua"))),+))
        });
    };
}

/// One that changes the queue. In a store whose jobs were moved to another it is refused.
macro_rules! transition {
    ($name:ident, $flags:literal, $($file:literal),+) => {
        script!($name, $flags, "open", $($file),+);
    };
}

transition!(ENQUEUE, "", "turn", "enqueue");
transition!(UNMATCHED, "", "turn", "runner", "unmatched");
transition!(CANCEL, " flags=allow-oom", "turn", "runner", "cancel");
transition!(NOTE, " flags=allow-oom", "turn", "runner", "note");
transition!(SERVED, " flags=allow-oom", "turn", "runner", "reopen", "served");
transition!(MISSED, " flags=allow-oom", "turn", "runner", "missed");
transition!(CROSSOVER, " flags=allow-oom", "turn", "runner", "reopen", "crossover");
transition!(RESERVE, " flags=allow-oom", "turn", "runner", "limit", "reopen", "tend", "reserve");
transition!(REFILL, " flags=allow-oom", "turn", "runner", "limit", "warm", "refill");
transition!(SPARE, " flags=allow-oom", "turn", "runner", "limit", "warm", "reopen", "spare");
transition!(WAITS, " flags=allow-oom", "turn", "runner", "limit", "warm", "waits");
transition!(DEMAND, " flags=allow-oom", "turn", "runner", "demand");
transition!(PAUSE, " flags=allow-oom", "turn", "runner", "pause");
transition!(STOP, " flags=allow-oom", "turn", "runner", "stop");
transition!(TRY, " flags=allow-oom", "turn", "runner", "try");
transition!(RESTORE, " flags=allow-oom", "turn", "runner", "restore");
transition!(BEAT, " flags=allow-oom", "turn", "runner", "reopen", "tend", "beat");
transition!(PROGRESS, " flags=allow-oom", "turn", "runner", "progress");
transition!(SETTLE, " flags=allow-oom", "turn", "runner", "reopen", "moment", "settle");
transition!(ADOPT, " flags=allow-oom", "turn", "runner", "adopt");
transition!(REPLAY, " flags=allow-oom", "turn", "runner", "replay");
transition!(DROP, " flags=allow-oom", "turn", "runner", "drop");
transition!(LIMITS, " flags=allow-oom", "turn", "runner", "limits");
transition!(AUDIT, " flags=allow-oom", "turn", "runner", "limit", "audit");
script!(ADMIT, " flags=allow-oom", "turn", "runner", "admit");
script!(HEARD, " flags=allow-oom", "turn", "runner", "heard");
script!(COUNT, " flags=no-writes", "turn", "runner", "limit", "count");
script!(RUNNERS, " flags=no-writes", "turn", "runner", "runners");
transition!(IMPORT, "", "turn", "runner", "import");
script!(EXPORT, " flags=no-writes", "turn", "runner", "closed", "entries", "export");
script!(REMOVE, " flags=allow-oom", "turn", "runner", "closed", "entries", "remove");

/// All of them.
static ALL: [&LazyLock<Script>; 31] = [
    &ENQUEUE, &UNMATCHED, &CANCEL, &NOTE, &SERVED, &MISSED, &CROSSOVER, &RESERVE, &REFILL, &SPARE, &WAITS, &DEMAND,
    &PAUSE, &STOP, &TRY, &RESTORE, &BEAT, &PROGRESS, &SETTLE, &ADOPT, &REPLAY, &DROP, &LIMITS, &AUDIT, &ADMIT, &HEARD,
    &COUNT, &RUNNERS, &IMPORT, &EXPORT, &REMOVE,
];

/// What a script is called whose hash the store shows (`MONITOR`, `SLOWLOG`), in lower case: the name of its file.
#[must_use]
pub fn script_name(sha1: &str) -> Option<String> {
    ALL.iter().find(|script| script.sha1 == sha1).map(|script| script.name.to_lowercase())
}
