//! How long jobs waited over the last day, as a picture. Pure.

use std::time::Duration;

use shared::queue::Waits;

use super::words;

/// The picture's size, and where what is plotted lies in it.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 190.0;

/// The axis of waits is logarithmic, and begins here.
const LEAST: f64 = 0.25;

/// It reaches at least to here.
const REACH: f64 = 60.0;

/// The waits that have a line.
const LINES: [f64; 7] = [1.0, 10.0, 60.0, 600.0, 3600.0, 21_600.0, 86_400.0];

/// So many quarters of an hour have one label of the time.
const LABEL_EACH: usize = 16;

/// A picture, in units of its own.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// Where lines lie, and what they stand for.
    pub(super) lines: Vec<(f64, String)>,
    /// Where times are, and which.
    pub(super) times: Vec<(f64, String)>,
    /// The wait that half of the jobs did not exceed, and that which 95 of 100 did not, as paths.
    pub(super) median: String,
    pub(super) most: String,
    /// The same in words: from when on, how many jobs, and both waits.
    pub(super) rows: Vec<(String, u64, String, String)>,
    /// The same of the whole day.
    pub(super) told: String,
}

impl Plot {
    /// The picture of these quarters of an hour, in their order; none if no job ran.
    pub(super) fn of(waits: &[Waits]) -> Option<Self> {
        let mut day = waits.first()?.clone();
        waits[1..].iter().for_each(|quarter| day.add(quarter));
        let (median, most) = (day.quantile(0.5)?, day.quantile(0.95)?);
        let longest = waits.iter().filter_map(|quarter| quarter.quantile(0.95)).max()?.as_secs_f64().max(REACH);
        let y = |wait: f64| BOTTOM - (wait.max(LEAST) / LEAST).ln() / (longest / LEAST).ln() * (BOTTOM - TOP);
        #[allow(clippy::cast_precision_loss, reason = "there are a hundred")]
        let x = |quarter: usize| LEFT + quarter as f64 / waits.len() as f64 * (WIDTH - LEFT);
        let path = |part: f64| {
            let mut path = String::new();
            let mut is_drawing = false;
            for (place, quarter) in waits.iter().enumerate() {
                let wait = quarter.quantile(part);
                if let Some(wait) = wait {
                    let (x, next, y) = (x(place), x(place + 1), y(wait.as_secs_f64()));
                    let from = if is_drawing { format!("V{y:.1}") } else { format!("M{x:.1} {y:.1}") };
                    path.extend([from, format!("H{next:.1}")]);
                }
                is_drawing = wait.is_some();
            }
            path
        };
        let duration = |wait: Option<Duration>| wait.map(words::duration).unwrap_or_default();
        let rows = waits.iter().filter(|quarter| quarter.jobs() > 0).map(|quarter| {
            let (median, most) = (duration(quarter.quantile(0.5)), duration(quarter.quantile(0.95)));
            (words::moment(quarter.from), quarter.jobs(), median, most)
        });
        let lines = LINES.iter().filter(|wait| **wait <= longest);
        let times = waits.iter().enumerate().skip(1).step_by(LABEL_EACH);
        let jobs = words::count(day.jobs(), "job", "jobs");
        let (half, nearly_all) = (words::duration(median), words::duration(most));
        Some(Self {
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            top: TOP,
            bottom: BOTTOM,
            lines: lines.map(|wait| (y(*wait), words::duration(Duration::from_secs_f64(*wait)))).collect(),
            times: times.map(|(place, quarter)| (x(place), words::time_of_day(quarter.from))).collect(),
            median: path(0.5),
            most: path(0.95),
            rows: rows.collect(),
            told: format!(
                "{jobs} began to run; half of them had waited at most {half}, and 95 of 100 at most {nearly_all}."
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    /// Quarters of an hour with these waits, each of one job in that bucket; none in some.
    fn day(buckets: &[Option<u32>]) -> Vec<Waits> {
        let quarter = |(place, bucket): (u32, &Option<u32>)| {
            let from = OffsetDateTime::UNIX_EPOCH + Waits::QUARTER * place;
            Waits::new(from, bucket.map(|bucket| (bucket, 1)))
        };
        (0..).zip(buckets).map(quarter).collect()
    }

    #[test]
    fn a_longer_wait_is_higher_and_where_no_job_ran_is_a_gap() {
        let plot = Plot::of(&day(&[Some(8), None, Some(0), Some(16)])).unwrap();
        let (first, rest) = plot.median.split_once('H').unwrap();
        let begins: Vec<&str> = rest.split('M').collect();
        assert_eq!(begins.len(), 2, "{}", plot.median);
        let height = |text: &str| text.rsplit(['V', ' ']).next().unwrap().parse::<f64>().unwrap();
        let (one, least) = (height(first), height(begins[1].split('H').next().unwrap()));
        let longest = height(begins[1].split('H').nth(1).unwrap());
        assert!(longest < one && one < least && least <= BOTTOM && longest >= TOP, "{}", plot.median);
        assert!(plot.told.starts_with("3 jobs began to run"), "{}", plot.told);
        assert_eq!(plot.rows.len(), 3);
    }

    #[test]
    fn nothing_is_drawn_where_nothing_ran() {
        assert!(Plot::of(&day(&[None, None])).is_none() && Plot::of(&[]).is_none());
    }
}
