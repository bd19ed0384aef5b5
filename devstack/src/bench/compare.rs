//! What has changed since figures were written to a file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use anyhow::Context as _;
use serde_json::Value;

/// The figures of a file and those of now, a line for each that differs, with how many times as much it is now.
pub(super) fn compare(before: &Path, now: &Value) -> anyhow::Result<String> {
    let cannot = || format!("cannot compare with {}", before.display());
    let text = std::fs::read_to_string(before).with_context(cannot)?;
    let before = serde_json::from_str(&text).with_context(cannot)?;
    Ok(lines(&figures(&before), &figures(now)))
}

fn lines(before: &BTreeMap<String, f64>, now: &BTreeMap<String, f64>) -> String {
    let mut text = format!("{:<60} {:>12} {:>12} {:>8}\n", "since then", "before", "now", "times");
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for name in names {
        let cell = |value: Option<&f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let (was, is) = (before.get(name), now.get(name));
        if was == is {
            continue;
        }
        let times = was.zip(is).map_or_else(|| "-".to_owned(), |(was, is)| format!("{:.2}", is / was));
        // Writing to a String cannot fail.
        writeln!(text, "{name:<60} {:>12} {:>12} {times:>8}", cell(was), cell(is)).unwrap_or_default();
    }
    text
}

/// Every number, by its path; an element of a list goes by its `name`, if it has one.
fn figures(value: &Value) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    collect(value, "", &mut all);
    all
}

fn collect(value: &Value, path: &str, all: &mut BTreeMap<String, f64>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path} / {name}") };
    match value {
        Value::Number(number) => {
            all.extend(number.as_f64().map(|number| (path.to_owned(), number)));
        }
        Value::Array(elements) => {
            for (at, element) in elements.iter().enumerate() {
                let name = ["name", "what"].iter().find_map(|key| element.get(key)?.as_str());
                collect(element, &below(&name.map_or_else(|| at.to_string(), str::to_owned)), all);
            }
        }
        Value::Object(fields) => fields.iter().for_each(|(name, field)| collect(field, &below(name), all)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changed_is_told_by_name_and_what_did_not_is_not() {
        let of =
            |rate: f64| json!({ "rounds": 5, "rows": [{ "name": "ingest", "per_second": rate }], "list": [rate, 1] });
        let text = lines(&figures(&of(100.0)), &figures(&of(150.0)));
        let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines,
            [
                vec!["list", "/", "0", "100.00", "150.00", "1.50"],
                vec!["rows", "/", "ingest", "/", "per_second", "100.00", "150.00", "1.50"],
            ]
        );
        let gone = super::lines(&figures(&json!({ "old": 1 })), &figures(&json!({ "new": 2 })));
        assert!(gone.lines().any(|line| line.split_whitespace().eq(["new", "-", "2.00", "-"])), "{gone}");
    }
}
