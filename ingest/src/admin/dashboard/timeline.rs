//! A job's way as a picture: a bar for each stage, below each other, along one axis of time. Pure.

use std::time::Duration;

use shared::queue::{Event, What};
use time::OffsetDateTime;

use super::words;

/// How many stages are shown; of more, the last.
const STAGES_MAX: usize = 40;

/// Where the bars begin, how wide the picture is, how high a stage is, and what is kept free above them for the axis.
const LEFT: f64 = 330.0;
const WIDTH: f64 = 960.0;
const ROW: f64 = 24.0;
const TOP: f64 = 26.0;

/// The least width of a bar: also a short stage is seen.
const BAR_MIN: f64 = 3.0;

/// How many parts the axis has.
const TICKS: u32 = 4;

/// A picture, in units of its own.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Where the stages end.
    pub(super) bottom: f64,
    pub(super) ticks: Vec<Tick>,
    pub(super) bars: Vec<Bar>,
    /// What is to be seen, in a sentence.
    pub(super) told: String,
}

/// A mark on the axis.
#[derive(Debug)]
pub(super) struct Tick {
    pub(super) x: f64,
    pub(super) text: String,
    /// On which side of `x` the text stands, in SVG's words.
    pub(super) anchor: &'static str,
}

/// A stage.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) text: &'static str,
    /// How long it took, or takes so far.
    pub(super) took: String,
    /// The word for its looks.
    pub(super) kind: &'static str,
    /// Whether the job went from one runner, worker or attempt to another.
    pub(super) is_handover: bool,
    /// Whether it is a moment rather than a stage.
    pub(super) is_moment: bool,
}

/// What a job is at after something happened to it, and the word for its looks; none if that changes nothing.
fn stage(what: &str) -> Option<(&'static str, &'static str)> {
    const STAGES: [(What, &str, &str); 20] = [
        (What::Delivered, "waits for a runner", "wait"),
        (What::Unmatched, "no pool takes it", "bad"),
        (What::Reserved, "is registered at GitHub", "start"),
        (What::Registered, "container is created", "start"),
        (What::Created, "container is started", "start"),
        (What::Started, "runner boots", "start"),
        (What::Listening, "runner listens", "listen"),
        (What::Running, "runs", "run"),
        (What::Exited, "cleans up", "end"),
        (What::Removed, "is settled", "end"),
        (What::Retrying, "failed, waits for next attempt", "bad"),
        (What::Waiting, "waits, not its fault", "wait"),
        (What::RateLimited, "waits for GitHub's limits", "wait"),
        (What::Dead, "is a dead letter", "bad"),
        (What::Done, "done", "run"),
        (What::Cancelled, "cancelled", "bad"),
        (What::WorkerLost, "worker fell silent", "bad"),
        (What::Adopted, "taken over by a worker", "run"),
        (What::Reopened, "runner took another job, waits", "wait"),
        (What::Replayed, "replayed, waits", "wait"),
    ];
    STAGES.iter().find(|(known, ..)| known.as_str() == what).map(|(_, text, kind)| (*text, *kind))
}

fn is(event: &Event, whats: &[What]) -> bool {
    whats.iter().any(|what| event.what == what.as_str())
}

impl Timeline {
    /// The picture of what happened; of a job that is under way, until `now`. None if nothing is to be seen.
    pub(super) fn of(events: &[Event], now: Option<OffsetDateTime>) -> Option<Self> {
        let known: Vec<&Event> = events.iter().filter(|event| stage(&event.what).is_some()).collect();
        let shown = &known[known.len().saturating_sub(STAGES_MAX)..];
        let (from, last) = (shown.first()?.at, shown.last()?.at);
        let to = now.map_or(last, |now| now.max(last));
        let whole = (to - from).as_seconds_f64().max(0.001);
        let x = |at: OffsetDateTime| LEFT + ((at - from).as_seconds_f64() / whole).clamp(0.0, 1.0) * (WIDTH - LEFT);
        let ends = shown.iter().skip(1).map(|event| Some(event.at)).chain([now]);
        let mut bars = Vec::new();
        let mut y = TOP;
        for (event, end) in shown.iter().zip(ends) {
            let Some((text, kind)) = stage(&event.what) else { continue };
            let begins = x(event.at);
            let ended = is(event, &[What::Done, What::Cancelled, What::Unmatched]);
            let end = end.filter(|_| !ended);
            let width = end.map_or(0.0, |end| x(end.max(event.at)) - begins).max(BAR_MIN);
            let took = end.and_then(|end| Duration::try_from(end - event.at).ok()).map(words::duration);
            let handovers = [What::Retrying, What::WorkerLost, What::Adopted, What::Reopened, What::Replayed];
            let (x, took) = (begins.min(WIDTH - width), took.unwrap_or_default());
            let (is_handover, is_moment) = (is(event, &handovers), end.is_none());
            bars.push(Bar { x, y, width, text, took, kind, is_handover, is_moment });
            y += ROW;
        }
        let ticks = (0..=TICKS).map(|tick| {
            let part = f64::from(tick) / f64::from(TICKS);
            let anchor = ["start", "middle", "end"][usize::from(tick > 0) + usize::from(tick == TICKS)];
            Tick {
                x: LEFT + part * (WIDTH - LEFT),
                text: words::duration(Duration::from_secs_f64(whole * part)),
                anchor,
            }
        });
        let told = format!(
            "{} in {}",
            words::count(bars.len() as u64, "stage", "stages"),
            words::duration(Duration::from_secs_f64(whole))
        );
        Some(Self { width: WIDTH, height: y + 6.0, bottom: y, ticks: ticks.collect(), bars, told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_764_374_400 + seconds).unwrap()
    }

    fn events(told: &[(i64, What)]) -> Vec<Event> {
        let event = |(seconds, what): &(i64, What)| Event {
            at: at(*seconds),
            what: what.as_str().to_owned(),
            detail: String::new(),
        };
        told.iter().map(event).collect()
    }

    #[test]
    fn a_stage_is_as_long_as_it_took() {
        let happened = events(&[
            (0, What::Delivered),
            (50, What::Reserved),
            (60, What::Running),
            (60, What::Noted),
            (100, What::Done),
        ]);
        let timeline = Timeline::of(&happened, None).unwrap();
        let told: Vec<(&str, &str, bool)> =
            timeline.bars.iter().map(|bar| (bar.text, bar.took.as_str(), bar.is_moment)).collect();
        let expected = [
            ("waits for a runner", "50 s", false),
            ("is registered at GitHub", "10 s", false),
            ("runs", "40 s", false),
            ("done", "", true),
        ];
        assert_eq!(told, expected);
        let half = (WIDTH - LEFT) / 2.0;
        assert!((timeline.bars[0].width - half).abs() < 0.1 && (timeline.bars[1].x - LEFT - half).abs() < 0.1);
        assert!(timeline.bars.iter().all(|bar| bar.x >= LEFT && bar.x + bar.width <= WIDTH + 0.1), "{timeline:?}");
    }

    #[test]
    fn a_job_under_way_is_at_its_last_stage_until_now() {
        let happened = events(&[(0, What::Delivered), (10, What::Reopened)]);
        let timeline = Timeline::of(&happened, Some(at(40))).unwrap();
        assert_eq!((timeline.bars[1].took.as_str(), timeline.bars[1].is_handover), ("30 s", true));
        assert!(Timeline::of(&[], Some(at(0))).is_none());
        assert!(Timeline::of(&events(&[(0, What::Noted)]), None).is_none());
    }

    #[test]
    fn of_a_long_story_the_end_is_shown_and_clocks_may_go_back() {
        let happened = events(&(0..100).map(|turn| (100 - turn, What::Retrying)).collect::<Vec<_>>());
        let timeline = Timeline::of(&happened, None).unwrap();
        assert_eq!(timeline.bars.len(), STAGES_MAX);
        assert!(timeline.bars.iter().all(|bar| bar.x.is_finite() && bar.width >= BAR_MIN));
    }
}
