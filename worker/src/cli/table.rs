//! Tables for people.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Rows as lines, each column as wide as its widest cell. The columns in `right` are numbers, and stand to the right.
pub(super) fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]], right: &[usize]) -> String {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths).enumerate();
        let cells: Vec<String> = cells
            .map(
                |(column, (cell, width))| {
                    if right.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                },
            )
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
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
