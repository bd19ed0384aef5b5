//! `config.sh`: registers the runner by a registration token.

use std::{collections::BTreeMap, path::Path};

use serde_json::json;

use super::{client, files, say};

/// Options that have a value.
const VALUED: [&str; 6] = ["url", "token", "name", "labels", "runnergroup", "work"];
/// Options that have none.
const FLAGS: [&str; 4] = ["unattended", "ephemeral", "disableupdate", "replace"];

/// How the runner is to be registered.
pub(super) struct Options {
    url: String,
    token: String,
    name: String,
    labels: Vec<String>,
    group: Option<String>,
    work: String,
    ephemeral: bool,
    replace: bool,
}

impl Options {
    /// Reads the arguments of `config.sh`.
    pub(super) fn of_arguments(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut given: BTreeMap<String, String> = BTreeMap::new();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let name = argument.strip_prefix("--").unwrap_or_default();
            if FLAGS.contains(&name) {
                given.insert(name.to_owned(), String::new());
            } else if VALUED.contains(&name) {
                let value = arguments.next().ok_or_else(|| format!("--{name} has no value"))?;
                given.insert(name.to_owned(), value);
            } else {
                return Err(format!("Unrecognized command-line input argument: '{argument}'"));
            }
        }
        Self::of(&given)
    }

    /// Reads what images with an entry point of their own are given: `URL`, `TOKEN`, `NAME`, `LABELS`, `RUNNER_GROUP`.
    pub(super) fn of_environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let mut given: BTreeMap<String, String> =
            ["ephemeral", "replace"].map(|flag| (flag.to_owned(), String::new())).into();
        for (name, value) in variables {
            let name = name.to_ascii_lowercase().replace('_', "");
            if VALUED.contains(&name.as_str()) && name != "work" {
                given.insert(name, value);
            }
        }
        Self::of(&given)
    }

    fn of(given: &BTreeMap<String, String>) -> Result<Self, String> {
        let value = |name: &str| given.get(name).filter(|value| !value.is_empty()).cloned();
        let needed = |name: &str| value(name).ok_or_else(|| format!("Invalid configuration provided for {name}."));
        let labels = value("labels").unwrap_or_default();
        Ok(Self {
            url: needed("url")?,
            token: needed("token")?,
            name: needed("name")?,
            labels: labels.split(',').map(str::trim).filter(|label| !label.is_empty()).map(str::to_owned).collect(),
            group: value("runnergroup"),
            work: value("work").unwrap_or_else(|| "_work".to_owned()),
            ephemeral: given.contains_key("ephemeral"),
            replace: given.contains_key("replace"),
        })
    }
}

/// Registers the runner and writes its files. The error is for whoever configures it.
pub(super) fn configure(home: &Path, options: &Options) -> Result<(), String> {
    if files::exist(home) {
        return Err("Cannot configure the runner because it is already configured.".to_owned());
    }
    say::line("\n# Authentication\n");
    let body = json!({
        "url": options.url,
        "name": options.name,
        "labels": options.labels,
        "group": options.group,
        "work": options.work,
        "ephemeral": options.ephemeral,
        "replace": options.replace,
    });
    let authorization = format!("RemoteAuth {}", options.token);
    let reply = client::request(server(&options.url), &authorization, "POST", "/register", Some(&body));
    let reply = reply.map_err(|error| format!("An error occurred: {error}"))?;
    let Some(written) = reply.body["files"].as_object().filter(|_| reply.status == 201) else {
        let status = match reply.status {
            404 => "NotFound".to_owned(),
            401 => "Unauthorized".to_owned(),
            status => status.to_string(),
        };
        say::line(&format!("Http response code: {status} from 'POST {}'", options.url));
        return Err(reply.body["message"].as_str().unwrap_or("no message").to_owned());
    };
    files::write(home, written).map_err(|error| format!("An error occurred: {error}"))?;
    for line in [
        "\n\u{221a} Connected to GitHub",
        "\n# Runner Registration\n",
        "\u{221a} Runner successfully added",
        "\u{221a} Runner connection is good",
        "\n# Runner settings\n",
        "\u{221a} Settings Saved.\n",
    ] {
        say::line(line);
    }
    Ok(())
}

/// The server's address: the page of a scope without the scope.
fn server(page: &str) -> &str {
    let page = page.trim_end_matches('/');
    let begin = page.find("://").map_or(0, |at| at + 3);
    page[begin..].find('/').map_or(page, |at| &page[..begin + at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Result<Options, String> {
        Options::of_arguments(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn the_arguments_are_those_of_the_real_script() {
        let options = arguments(
            "--unattended --url http://h:1/o/r --token T --name N --labels a,b --runnergroup G --work _work --ephemeral \
             --disableupdate --replace",
        );
        let options = options.unwrap();
        assert_eq!((options.labels.len(), options.group.as_deref()), (2, Some("G")));
        assert!(options.ephemeral && options.replace);
        assert!(arguments("--url http://h --name N").is_err_and(|problem| problem.contains("token")));
        assert!(arguments("--urll http://h").is_err_and(|problem| problem.contains("--urll")));
    }

    #[test]
    fn the_environment_is_that_of_images_with_an_entry_point() {
        let variables =
            [("URL", "u"), ("TOKEN", "t"), ("NAME", "n"), ("LABELS", "a"), ("RUNNER_GROUP", "g"), ("X", "")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options = Options::of_environment(variables).unwrap();
        assert_eq!((options.url.as_str(), options.group.as_deref()), ("u", Some("g")));
        assert!(options.ephemeral);
    }

    #[test]
    fn the_server_is_the_page_without_the_scope() {
        for page in ["http://h:1/o/r", "http://h:1/o", "http://h:1/enterprises/e/", "http://h:1"] {
            assert_eq!(server(page), "http://h:1");
        }
    }
}
