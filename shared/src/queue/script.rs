//! The scripts, each with what they have in common before it.

use std::sync::LazyLock;

use redis::{Arg, Cmd, ToRedisArgs, cmd};

/// A script.
#[derive(Debug)]
pub(super) struct Script {
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
    fn new(code: &'static str) -> Self {
        Self { code, sha1: redis::Script::new(code).get_hash().to_owned() }
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
            Script::new(concat!("#!lua", $flags, "\n", include_str!("scripts/lib.lua"), $(include_str!(concat!("scripts/", $file, ".lua"))),+))
        });
    };
}

/// One that changes the queue. In a store whose jobs were moved to another it is refused.
macro_rules! transition {
    ($name:ident, $flags:literal, $($file:literal),+) => {
        script!($name, $flags, "open", $($file),+);
    };
}

transition!(ENQUEUE, "", "enqueue");
transition!(UNMATCHED, "", "unmatched");
transition!(CANCEL, " flags=allow-oom", "cancel");
transition!(NOTE, " flags=allow-oom", "note");
transition!(SERVED, " flags=allow-oom", "reopen", "served");
transition!(CROSSOVER, " flags=allow-oom", "reopen", "crossover");
transition!(RESERVE, " flags=allow-oom", "limit", "reopen", "tend", "reserve");
transition!(REFILL, " flags=allow-oom", "limit", "warm", "refill");
transition!(SPARE, " flags=allow-oom", "limit", "warm", "reopen", "spare");
transition!(WAITS, " flags=allow-oom", "limit", "warm", "waits");
transition!(DEMAND, " flags=allow-oom", "demand");
transition!(PAUSE, " flags=allow-oom", "pause");
transition!(STOP, " flags=allow-oom", "stop");
transition!(TRY, " flags=allow-oom", "try");
transition!(RESTORE, " flags=allow-oom", "restore");
transition!(BEAT, " flags=allow-oom", "reopen", "tend", "beat");
transition!(PROGRESS, " flags=allow-oom", "progress");
transition!(SETTLE, " flags=allow-oom", "reopen", "moment", "settle");
transition!(ADOPT, " flags=allow-oom", "adopt");
transition!(REPLAY, " flags=allow-oom", "replay");
transition!(DROP, " flags=allow-oom", "drop");
transition!(LIMITS, " flags=allow-oom", "limits");
transition!(AUDIT, " flags=allow-oom", "limit", "audit");
script!(ADMIT, " flags=allow-oom", "admit");
script!(HEARD, " flags=allow-oom", "heard");
script!(COUNT, " flags=no-writes", "limit", "count");
script!(RUNNERS, " flags=no-writes", "runners");
transition!(IMPORT, "", "import");
script!(EXPORT, " flags=no-writes", "closed", "entries", "export");
script!(REMOVE, " flags=allow-oom", "closed", "entries", "remove");
