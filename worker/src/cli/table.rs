//! Tables for people.

use anstyle::{AnsiColor, Effects, Style};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Rows as lines, each column as wide as its widest cell. The columns in `right` are numbers, and stand to the right.
/// Print it with `anstream`, which takes the colours out where nobody sees them.
pub(super) fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]], right: &[usize]) -> String {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; COLUMNS]| {
        let last = row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
        let cells = row.iter().zip(widths).enumerate().take(last);
        let cells: Vec<String> = cells
            .map(|(column, (cell, width))| {
                let (style, blank) = (style(cell), " ".repeat(width - cell.chars().count()));
                if right.contains(&column) {
                    format!("{blank}{style}{cell}{style:#}")
                } else if column + 1 == last {
                    format!("{style}{cell}{style:#}")
                } else {
                    format!("{style}{cell}{style:#}{blank}")
                }
            })
            .collect();
        format!("{}\n", cells.join("  "))
    };
    rows.iter().map(line).collect()
}

/// How a cell looks on a terminal: heads of columns, and the words for how a job fares, stand out.
pub(super) fn style(cell: &str) -> Style {
    match cell {
        "running" | "busy" | "ok" => AnsiColor::Green.on_default(),
        "starting" => AnsiColor::Cyan.on_default(),
        "delayed" | "orphaned" | "warning" => AnsiColor::Yellow.on_default(),
        "dead" | "failure" => AnsiColor::Red.on_default().effects(Effects::BOLD),
        "done" | "cancelled" | "-" => Style::new().effects(Effects::DIMMED),
        head if head.len() > 1 && head.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' ') => {
            Style::new().effects(Effects::BOLD)
        }
        _ => Style::new(),
    }
}

/// A moment, to the millisecond, in UTC.
pub(super) fn moment(at: OffsetDateTime) -> String {
    at.truncate_to_millisecond().format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// A cell of what there may be.
pub(super) fn or_dash(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// The first characters of a text, on one line.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use shared::model::JobState;

    use super::*;

    #[test]
    fn states_have_colours_and_take_no_room() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let table =
            aligned(&[row(["JOB", "STATE", "N"]), row(["41", "dead", "7"]), row(["4", "pending", "1000"])], &[2]);
        let plain = anstream::adapter::strip_str(&table).to_string();
        assert_eq!(plain, "JOB  STATE       N\n41   dead        7\n4    pending  1000\n");
        assert!(
            table.contains("\u{1b}[31mdead\u{1b}[0m") || table.contains("\u{1b}[1m\u{1b}[31mdead\u{1b}[0m"),
            "{table:?}"
        );
    }

    #[test]
    fn a_colour_is_of_a_state_that_there_is() {
        let coloured = ["running", "starting", "delayed", "orphaned", "dead", "done", "cancelled"];
        for state in coloured {
            assert!(state.parse::<JobState>().is_ok_and(|it| it.to_string() == state), "{state}");
        }
    }
}
