//! The tables of the README, for the tests that hold them to the code.

use std::{fs, io};

/// Where it is.
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");

/// The rows of the tables whose first column is headed `heading`, without their heads.
///
/// # Errors
///
/// When there is no README, or no such table in it.
pub fn rows(heading: &str) -> io::Result<Vec<Vec<String>>> {
    let rows = table(&fs::read_to_string(README)?, heading);
    if rows.is_empty() {
        return Err(io::Error::other(format!("README.md has no table whose first column is {heading:?}")));
    }
    Ok(rows)
}

/// The same of any text.
#[must_use]
pub fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if cells(line).first().is_some_and(|cell| cell == heading) {
            let body = lines.by_ref().skip(1).take_while(|line| line.starts_with('|'));
            rows.extend(body.map(cells));
        }
    }
    rows
}

/// What is in a row between its bars.
fn cells(line: &str) -> Vec<String> {
    let inner = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    inner.map(|inner| inner.split('|').map(|cell| cell.trim().to_owned()).collect()).unwrap_or_default()
}

/// The text of a cell that is code and nothing else.
#[must_use]
pub fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`').filter(|text| !text.contains('`'))
}

/// The names of the metrics in what `/metrics` answers, as they are asked for in Prometheus; sorted.
#[must_use]
pub fn metric_names(answer: &str) -> Vec<String> {
    let types = answer.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let name = |(family, kind): (&str, &str)| match kind {
        "counter" => format!("{family}_total"),
        "info" => format!("{family}_info"),
        _ => family.to_owned(),
    };
    let mut names: Vec<String> = types.map(name).collect();
    names.sort();
    names
}

/// The names of the metrics that the README says a process has, sorted.
///
/// # Errors
///
/// As [`rows`].
pub fn metrics_of(process: &str) -> io::Result<Vec<String>> {
    let rows = rows("metric")?;
    let ours = rows.iter().filter(|row| row.get(1).is_some_and(|of| of == process || of == "both"));
    let mut names: Vec<String> = ours.filter_map(|row| code(&row[0])).map(str::to_owned).collect();
    names.sort();
    Ok(names)
}
