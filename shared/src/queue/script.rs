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
/// can leave it; only `enqueue` is refused then.
macro_rules! script {
    ($name:ident, $flags:literal, $($file:literal),+) => {
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!("#!lua", $flags, "\n", include_str!("scripts/lib.lua"), $(include_str!(concat!("scripts/", $file, ".lua"))),+))
        });
    };
}

script!(ENQUEUE, "", "enqueue");
script!(UNMATCHED, "", "unmatched");
script!(CANCEL, " flags=allow-oom", "cancel");
script!(NOTE, " flags=allow-oom", "note");
script!(SERVED, " flags=allow-oom", "served");
script!(CROSSOVER, " flags=allow-oom", "reopen", "crossover");
script!(RESERVE, " flags=allow-oom", "limit", "reopen", "tend", "reserve");
script!(DEMAND, " flags=allow-oom", "demand");
script!(PAUSE, " flags=allow-oom", "pause");
script!(RESTORE, " flags=allow-oom", "restore");
script!(BEAT, " flags=allow-oom", "reopen", "tend", "beat");
script!(PROGRESS, " flags=allow-oom", "progress");
script!(SETTLE, " flags=allow-oom", "reopen", "settle");
script!(ADOPT, " flags=allow-oom", "adopt");
script!(REPLAY, " flags=allow-oom", "replay");
script!(DROP, " flags=allow-oom", "drop");
script!(LIMITS, " flags=allow-oom", "limits");
script!(AUDIT, " flags=allow-oom", "limit", "audit");
script!(COUNT, " flags=no-writes", "limit", "count");
