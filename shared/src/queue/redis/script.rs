//! The scripts, each with what they have in common before it.

use std::sync::LazyLock;

use redis::Script;

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
script!(BEAT, " flags=allow-oom", "reopen", "tend", "beat");
script!(PROGRESS, " flags=allow-oom", "progress");
script!(SETTLE, " flags=allow-oom", "reopen", "settle");
script!(ADOPT, " flags=allow-oom", "adopt");
script!(REPLAY, " flags=allow-oom", "replay");
script!(DROP, " flags=allow-oom", "drop");
script!(LIMITS, " flags=allow-oom", "limits");
script!(AUDIT, " flags=allow-oom", "limit", "audit");
script!(COUNT, " flags=no-writes", "limit", "count");
