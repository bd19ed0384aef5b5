//! Questions and answers: at a terminal, or line by line from whatever standard input is.

use std::{
    fmt::Display,
    io::{BufRead, IsTerminal as _, Write as _},
    str::FromStr,
};

use anyhow::Context as _;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// What Ctrl-C sends where it is no signal.
const INTERRUPT: char = '\u{3}';

/// Who answers.
pub(crate) struct Asker {
    /// At a terminal a wrong answer is asked for again; elsewhere it ends everything.
    is_terminal: bool,
}

impl Asker {
    /// Whoever is at standard input.
    pub(crate) fn new() -> Self {
        Self { is_terminal: std::io::stdin().is_terminal() }
    }

    /// The value of `flag`, or else the answer to `question`, read by `T`'s own parser. An empty answer is `default`.
    ///
    /// # Errors
    ///
    /// When what was given is wrong, and nobody is there to correct it, or nothing was given and there is no default.
    pub(crate) fn ask<T: FromStr<Err: Display>>(
        &self,
        question: &str,
        flag: (&str, Option<&str>),
        default: Option<&str>,
    ) -> anyhow::Result<T> {
        let (name, value) = flag;
        if let Some(value) = value {
            return value.parse::<T>().map_err(|error| anyhow::anyhow!("{name}: {error}"));
        }
        let read = |text: &str| text.parse::<T>().map_err(|error| error.to_string());
        self.until_right(question, (name, false), default, read)
    }

    /// The answer to `question`, which is not shown while it is typed, as `check` reads it.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    pub(crate) fn ask_secret<T>(
        &self,
        question: &str,
        flag: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        self.until_right(question, (flag, true), None, check)
    }

    fn until_right<T>(
        &self,
        question: &str,
        (flag, is_secret): (&str, bool),
        default: Option<&str>,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        loop {
            // Before the question: what is typed from then on counts.
            let silence = (is_secret && self.is_terminal).then(Silence::begin).transpose()?;
            if self.is_terminal {
                let usual = default.map(|default| format!(" [{default}]")).unwrap_or_default();
                eprint!("{question}{usual}: ");
                std::io::stderr().flush()?;
            }
            let answer = line()?;
            drop(silence);
            // What breaks off does not reach us as a signal while nothing is shown.
            anyhow::ensure!(!answer.as_ref().is_some_and(|line| line.contains(INTERRUPT)), "broken off");
            let is_end = answer.is_none();
            let answer = answer.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
            let Some(answer) = answer.or_else(|| default.map(str::to_owned)) else {
                anyhow::ensure!(
                    self.is_terminal && !is_end,
                    "no answer to \"{question}\": give it as a line, or with {flag}"
                );
                continue;
            };
            match check(&answer) {
                Ok(value) => return Ok(value),
                Err(problem) if self.is_terminal => eprintln!("  {problem}"),
                Err(problem) => anyhow::bail!("{question}: {problem}"),
            }
        }
    }
}

/// The next line; none at the end.
fn line() -> anyhow::Result<Option<String>> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).context("cannot read the answer")?;
    Ok((read > 0).then_some(line))
}

/// A terminal that shows nothing of what is typed. It does again once this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> anyhow::Result<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).context("cannot hide what is typed")?;
        let mut silent = before.clone();
        // Without signals, too: whoever breaks off is not left with a terminal that shows nothing.
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(&stdin, OptionalActions::Flush, &silent).context("cannot hide what is typed")?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // The terminal may be gone.
        tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0).unwrap_or_default();
        eprintln!();
    }
}
