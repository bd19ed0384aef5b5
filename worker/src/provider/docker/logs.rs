//! What a container prints, in lines.

use std::{future::ready, sync::Arc};

use bollard::{
    container::LogOutput,
    errors::Error,
    query_parameters::{LogsOptions, LogsOptionsBuilder},
};
use futures_util::{
    Stream, StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use tokio::time::timeout;

use super::{
    connect::{ANSWER_TIMEOUT, CHANGE_TIMEOUT, Engine, late},
    engine_error::classify,
};
use crate::provider::ProviderError;

/// The most bytes of a line that are kept.
const LINE_BYTES_MAX: usize = 4096;

/// The lines that a container prints, from the first one on, until it ends.
pub(super) fn follow(engine: Arc<Engine>, container: String) -> BoxStream<'static, Result<String, ProviderError>> {
    let connected = async move {
        // The engine begins its answer at once, however long the first line may take.
        let client = engine.client().await?.with_timeout(ANSWER_TIMEOUT);
        Ok(lines("follow a container's output", client.logs(&container, Some(options().follow(true).build()))))
    };
    stream::once(connected).try_flatten().boxed()
}

/// The last lines that a container printed.
pub(super) async fn tail(engine: &Engine, container: &str, count: usize) -> Result<Vec<String>, ProviderError> {
    const DOING: &str = "read a container's output";
    let client = engine.client().await?;
    let options: LogsOptions = options().tail(&count.to_string()).build();
    match timeout(CHANGE_TIMEOUT, lines(DOING, client.logs(container, Some(options))).try_collect::<Vec<String>>())
        .await
    {
        Ok(lines) => lines,
        Err(_) => Err(late(DOING, CHANGE_TIMEOUT)),
    }
}

fn options() -> LogsOptionsBuilder {
    LogsOptionsBuilder::new().stdout(true).stderr(true)
}

fn lines<S>(doing: &'static str, output: S) -> impl Stream<Item = Result<String, ProviderError>> + use<S>
where
    S: Stream<Item = Result<LogOutput, Error>>,
{
    let output = output.map(Some).chain(stream::once(ready(None)));
    let lines = output.scan(Lines::default(), move |lines, chunk| {
        let complete: Vec<Result<String, ProviderError>> = match chunk {
            Some(Ok(chunk)) => lines.push(&chunk).into_iter().map(Ok).collect(),
            Some(Err(error)) => vec![Err(classify(doing, error))],
            None => lines.finish().into_iter().map(Ok).collect(),
        };
        ready(Some(stream::iter(complete)))
    });
    lines.flatten()
}

/// Puts lines together from the pieces that the engine sends. The two streams of a container may be interleaved.
#[derive(Debug, Default)]
struct Lines {
    out: Line,
    err: Line,
}

/// The beginning of a line, whose end is still to come.
#[derive(Debug, Default)]
struct Line(Vec<u8>);

impl Lines {
    fn push(&mut self, chunk: &LogOutput) -> Vec<String> {
        let line = if matches!(chunk, LogOutput::StdErr { .. }) { &mut self.err } else { &mut self.out };
        let mut complete = Vec::new();
        let mut pieces = chunk.as_ref().split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            line.0.extend_from_slice(&piece[..piece.len().min(LINE_BYTES_MAX.saturating_sub(line.0.len()))]);
            if pieces.peek().is_some() {
                complete.push(line.take());
            }
        }
        complete
    }

    /// What is left over when the output ends: lines without an end.
    fn finish(&mut self) -> Vec<String> {
        let open = [&mut self.out, &mut self.err].into_iter().filter(|line| !line.0.is_empty());
        open.map(Line::take).collect()
    }
}

impl Line {
    fn take(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.0).trim_end_matches('\r').to_owned();
        self.0.clear();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(message: impl Into<Vec<u8>>) -> LogOutput {
        LogOutput::StdOut { message: message.into().into() }
    }

    fn err(message: &str) -> LogOutput {
        LogOutput::StdErr { message: message.to_owned().into() }
    }

    #[test]
    fn lines_are_whole_however_the_engine_cuts_them() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(&out("one\r\ntw")), ["one"]);
        assert_eq!(lines.push(&err("other\n")), ["other"]);
        assert_eq!(lines.push(&out("o\n\nlast")), ["two", ""]);
        assert_eq!(lines.finish(), ["last"]);
        assert!(lines.finish().is_empty());
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_than_its_bound() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert!(lines.push(&out(vec![b'x'; 1000])).is_empty());
        }
        assert_eq!(lines.out.0.len(), LINE_BYTES_MAX);
        assert_eq!(lines.push(&out("\nnext\n")), ["x".repeat(LINE_BYTES_MAX), "next".to_owned()]);
    }

    #[test]
    fn what_is_no_text_is_a_line_too() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(&out(vec![b'a', 0xff, b'\n'])), ["a\u{fffd}"]);
    }
}
