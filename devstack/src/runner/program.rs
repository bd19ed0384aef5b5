//! Which of the runner's scripts this is.

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use super::{
    configure::{self, Options},
    host::Host,
    listen, say,
};

/// Set once the runner is told to stop.
pub(super) type Stop = Arc<AtomicBool>;

/// Runs the script by whose name the program was called: `run.sh`, `config.sh`, or `entrypoint`, which is one after the
/// other with what the environment says. The folder that it is called in is the runner's home.
#[must_use]
pub fn main() -> ExitCode {
    let mut arguments = env::args_os();
    let called = PathBuf::from(arguments.next().unwrap_or_default());
    let home = match called.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let stop = Stop::default();
    for signal in [SIGTERM, SIGINT] {
        if flag::register(signal, stop.clone()).is_err() {
            say::error("cannot listen for signals");
            return ExitCode::FAILURE;
        }
    }
    match called.file_name().and_then(|name| name.to_str()) {
        Some("run.sh") => listen::run(&home, &Host::process(stop)),
        Some("config.sh") => configured(&home, Options::of_arguments(arguments)),
        Some("entrypoint") => {
            let code = configured(&home, Options::of_environment(env::vars()));
            if code == ExitCode::SUCCESS { listen::run(&home, &Host::process(stop)) } else { code }
        }
        _ => {
            say::error("call this as run.sh, config.sh or entrypoint");
            ExitCode::FAILURE
        }
    }
}

fn configured(home: &Path, options: Result<Options, String>) -> ExitCode {
    match options.and_then(|options| configure::configure(home, &options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say::error(&problem);
            ExitCode::FAILURE
        }
    }
}
