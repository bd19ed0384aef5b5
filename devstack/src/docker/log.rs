//! What a container prints, as the engine sends it.

/// The stream of a piece of output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stream {
    Out = 1,
    Err = 2,
}

/// Everything that a container has printed, in pieces.
#[derive(Debug, Default)]
pub(super) struct Log(Vec<(Stream, Vec<u8>)>);

impl Log {
    pub(super) fn push(&mut self, stream: Stream, piece: &[u8]) {
        self.0.push((stream, piece.to_vec()));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The pieces from the one of that number on, each behind the eight bytes that say what it is.
    pub(super) fn frames_from(&self, first: usize) -> Vec<u8> {
        self.0.iter().skip(first).flat_map(|(stream, piece)| frame(*stream, piece)).collect()
    }

    /// The last so many lines.
    pub(super) fn last(&self, lines: usize) -> Vec<u8> {
        let all = self
            .0
            .iter()
            .flat_map(|(stream, piece)| piece.split_inclusive(|byte| *byte == b'\n').map(|line| (*stream, line)));
        // A piece need not end with its line.
        let mut whole: Vec<(Stream, Vec<u8>)> = Vec::new();
        for (stream, line) in all {
            match whole.last_mut() {
                Some((of, open)) if *of == stream && !open.ends_with(b"\n") => open.extend_from_slice(line),
                _ => whole.push((stream, line.to_vec())),
            }
        }
        let first = whole.len().saturating_sub(lines);
        whole[first..].iter().flat_map(|(stream, line)| frame(*stream, line)).collect()
    }
}

fn frame(stream: Stream, piece: &[u8]) -> Vec<u8> {
    let length = u32::try_from(piece.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut frame = vec![stream as u8, 0, 0, 0];
    frame.extend_from_slice(&length);
    frame.extend_from_slice(piece);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole_however_they_were_printed() {
        let mut log = Log::default();
        for piece in ["one\ntw", "o\nth", "ree"] {
            log.push(Stream::Out, piece.as_bytes());
        }
        assert_eq!(log.last(2), [frame(Stream::Out, b"two\n"), frame(Stream::Out, b"three")].concat());
        assert_eq!(log.frames_from(2), [&[1, 0, 0, 0, 0, 0, 0, 3][..], b"ree"].concat());
    }
}
