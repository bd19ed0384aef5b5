//! A browser without a window: Debian's Chromium, driven by W3C's protocol.

use std::{fs, path::Path, process::Command, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{child::OwnedChild, error::HarnessError};

/// Where Debian's package `chromium-driver` has the program.
const DRIVER: &str = "/usr/bin/chromedriver";

/// How long the browser may take to start: the machine may be busy.
const START: Duration = Duration::from_mins(1);

/// How the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The program that drives the browser, and has started it: in the group of processes that is its own.
#[derive(Debug)]
struct Driver(OwnedChild);

impl Drop for Driver {
    fn drop(&mut self) {
        if self.0.ended().is_none()
            && let Some(group) = i32::try_from(self.0.pid()).ok().and_then(Pid::from_raw)
        {
            kill_process_group(group, Signal::KILL).unwrap_or_default();
        }
    }
}

/// A browser of its own, with an empty profile; gone when dropped.
#[derive(Debug)]
pub struct Browser {
    http: reqwest::Client,
    /// The session's address.
    session: String,
    _driver: Driver,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Errors
    ///
    /// [`HarnessError::Missing`] without the packages `chromium` and `chromium-driver`; others when it does not start.
    pub async fn start() -> Result<Self, HarnessError> {
        if !Path::new(DRIVER).exists() {
            return Err(HarnessError::Missing { program: "chromedriver".to_owned(), package: "chromium-driver" });
        }
        let profile = tempfile::tempdir().map_err(HarnessError::system("make a folder for a browser's profile"))?;
        let mut command = Command::new(DRIVER);
        command.arg("--port=0").env("HOME", profile.path()).current_dir("/"); // it draws a port of its own, and says which
        let driver = OwnedChild::spawn("chromedriver", &mut command, false)
            .map_err(HarnessError::system("start chromedriver"))?;
        let mut driver = Driver(driver);
        let line = driver.0.printed("started successfully on port", START).await?;
        let port = line.rsplit(' ').next().unwrap_or_default().trim_end_matches('.');
        let http = reqwest::Client::new();
        let base = format!("http://127.0.0.1:{port}/session");
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(), // it is root who runs the tests
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--no-first-run".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--window-size=1280,900".to_owned(),
            format!("--user-data-dir={}", profile.path().join("profile").display()),
        ];
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
        let made = call(&http, reqwest::Method::POST, &base, &wanted).await?;
        let session = format!("{base}/{}", made["sessionId"].as_str().unwrap_or_default());
        Ok(Self { http, session, _driver: driver, _profile: profile })
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, HarnessError> {
        call(&self.http, reqwest::Method::POST, &format!("{}/{path}", self.session), body).await
    }

    /// Opens an address, and waits until the page is loaded.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn go(&self, address: &str) -> Result<(), HarnessError> {
        self.post("url", &json!({ "url": address })).await.map(drop)
    }

    /// The text that is seen of the first element of a CSS selector; none without one.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn text(&self, selector: &str) -> Result<Option<String>, HarnessError> {
        let script = "const found = document.querySelector(arguments[0]); return found && (found.innerText ?? found.textContent);";
        Ok(self.run(script, &json!([selector])).await?.as_str().map(str::to_owned))
    }

    /// Runs a script in the page, and returns what it does.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn run(&self, script: &str, arguments: &Value) -> Result<Value, HarnessError> {
        self.post("execute/sync", &json!({ "script": script, "args": arguments })).await
    }

    /// Clicks on the first element of a CSS selector, as a person does.
    ///
    /// # Errors
    ///
    /// What the driver says, such as that something lies over it.
    pub async fn click(&self, selector: &str) -> Result<(), HarnessError> {
        let found = self.post("element", &json!({ "using": "css selector", "value": selector })).await?;
        let element = found[ELEMENT].as_str().unwrap_or_default().to_owned();
        self.post(&format!("element/{element}/click"), &json!({})).await.map(drop)
    }

    /// Presses keys, one after the other, wherever the focus is. the protocol's signs stand for those that are no letters, such as
    /// [`TAB`](Self::TAB).
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn press(&self, keys: &str) -> Result<(), HarnessError> {
        let press = |key: char| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        self.post("actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }))
            .await
            .map(drop)
    }

    /// The tabulator, for [`press`](Self::press).
    pub const TAB: &str = "\u{e004}";

    /// The enter key, for [`press`](Self::press).
    pub const ENTER: &str = "\u{e007}";

    /// Sends a command of Chromium's own protocol.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn command(&self, command: &str, parameters: &Value) -> Result<Value, HarnessError> {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    /// The page as it is now, as HTML.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn source(&self) -> Result<String, HarnessError> {
        let address = format!("{}/source", self.session);
        let source = call(&self.http, reqwest::Method::GET, &address, &Value::Null).await?;
        Ok(source.as_str().unwrap_or_default().to_owned())
    }

    /// What has come onto the console since it was asked for last.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn console(&self) -> Result<Vec<String>, HarnessError> {
        let entries = self.post("se/log", &json!({ "type": "browser" })).await?;
        Ok(entries.as_array().into_iter().flatten().map(Value::to_string).collect())
    }

    /// The addresses that were asked for since this was asked for last.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn requests(&self) -> Result<Vec<String>, HarnessError> {
        let entries = self.post("se/log", &json!({ "type": "performance" })).await?;
        let messages = entries.as_array().into_iter().flatten();
        let messages = messages.filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        let requests = messages.filter(|told| told["message"]["method"] == "Network.requestWillBeSent");
        let address = |told: Value| told["message"]["params"]["request"]["url"].as_str().map(str::to_owned);
        Ok(requests.filter_map(address).collect())
    }

    /// Writes a picture of what is seen, as PNG.
    ///
    /// # Errors
    ///
    /// What the driver says, or the system about the file.
    pub async fn picture(&self, file: &Path) -> Result<(), HarnessError> {
        let address = format!("{}/screenshot", self.session);
        let picture = call(&self.http, reqwest::Method::GET, &address, &Value::Null).await?;
        let bytes = BASE64_STANDARD.decode(picture.as_str().unwrap_or_default()).unwrap_or_default();
        fs::write(file, bytes).map_err(HarnessError::system(format!("write {}", file.display())))
    }
}

/// Sends a command, and returns its value.
async fn call(
    http: &reqwest::Client,
    method: reqwest::Method,
    address: &str,
    body: &Value,
) -> Result<Value, HarnessError> {
    let failed = |error: reqwest::Error| HarnessError::system("reach the browser")(std::io::Error::other(error));
    let mut request = http.request(method, address);
    if !body.is_null() {
        request = request.json(body);
    }
    let mut answer: Value = request.send().await.map_err(failed)?.json().await.map_err(failed)?;
    let value = answer["value"].take();
    match value["error"].as_str() {
        Some(error) => {
            let said = format!("{error}: {}", value["message"].as_str().unwrap_or_default());
            Err(HarnessError::system("have the browser do something")(std::io::Error::other(said)))
        }
        None => Ok(value),
    }
}
