//! A real Chromium, driven over WebDriver.

use std::{path::Path, process::Command, time::Duration};

use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource, KeyAction, KeyActions},
    wd::WebDriverCompatibleCommand,
};
use serde_json::{Value, json};

use super::{Process, skip};

/// How long a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with an empty profile, ended with the test.
pub struct Browser {
    pub client: Client,
    _driver: Process,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser, or says that the test is skipped.
    pub async fn start() -> Option<Self> {
        if Command::new("chromedriver")
            .arg("--version")
            .output()
            .is_err()
        {
            skip("chromium and chromium-driver are not installed");
            return None;
        }
        let (driver, port) =
            Process::start_until(Command::new("chromedriver").arg("--port=0"), |line| {
                let rest = line.split("started successfully on port ").nth(1)?;
                rest.trim_end_matches('.').parse::<u16>().ok()
            });
        let profile = tempfile::tempdir().expect("a temporary folder");
        let options = json!({
            "goog:chromeOptions": {
                "binary": "/usr/bin/chromium",
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--disable-dev-shm-usage", "--window-size=1000,800",
                    format!("--user-data-dir={}", profile.path().display()),
                ],
            }
        });
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(options.as_object().expect("an object").clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromedriver takes a session");
        Some(Self {
            client,
            _driver: driver,
            _profile: profile,
        })
    }

    pub async fn go(&self, url: &str) {
        self.client
            .goto(url)
            .await
            .unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    pub async fn url(&self) -> String {
        self.client
            .current_url()
            .await
            .expect("the browser has a page")
            .to_string()
    }

    /// What a person can read on the page.
    pub async fn text(&self) -> String {
        // In one step: an element that was looked up first may belong to a page that is gone by then.
        let text = self
            .client
            .execute("return document.body.innerText", vec![])
            .await
            .expect("the body has text");
        text.as_str().expect("text").to_owned()
    }

    pub async fn fill(&self, css: &str, value: &str) {
        let field = self
            .client
            .find(Locator::Css(css))
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
        field.clear().await.expect("the field can be cleared");
        field.send_keys(value).await.expect("the field takes keys");
    }

    /// Fills in the login form of the page and sends it.
    pub async fn log_in(&self, name: &str, password: &str) {
        self.fill("input[name=username]", name).await;
        self.fill("input[name=password]", password).await;
        self.follow("form button[type=submit]").await;
    }

    pub async fn click(&self, css: &str) {
        let element = self
            .client
            .find(Locator::Css(css))
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
        element
            .click()
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Clicks on what leads to another page, and waits for that page.
    pub async fn follow(&self, css: &str) {
        self.leave(self.click(css)).await;
    }

    /// Presses Enter on what leads to another page, and waits for that page.
    pub async fn enter(&self) {
        const ENTER: char = '\u{e007}';
        self.leave(self.press([ENTER])).await;
    }

    /// Does what leads to another page, and waits until that has loaded: the driver does not, where it is of another site.
    async fn leave(&self, action: impl Future<Output = ()>) {
        const MARK: &str = "document.documentElement.dataset.left = ''";
        const ARRIVED: &str = "return document.readyState === 'complete' && !('left' in document.documentElement.dataset)";
        let marked = self.client.execute(MARK, vec![]).await;
        marked.expect("the page can be marked");
        action.await;
        let arrived = async {
            // While it changes, there may be no page to ask.
            while !matches!(
                self.client.execute(ARRIVED, vec![]).await,
                Ok(Value::Bool(true))
            ) {}
        };
        tokio::time::timeout(PATIENCE, arrived)
            .await
            .expect("another page loads");
    }

    /// Presses keys one after another, wherever the focus is.
    pub async fn press(&self, keys: impl IntoIterator<Item = char>) {
        let mut actions = KeyActions::new("keyboard".into());
        for key in keys {
            actions = actions
                .then(KeyAction::Down { value: key })
                .then(KeyAction::Up { value: key });
        }
        self.client
            .perform_actions(actions)
            .await
            .expect("the keys can be pressed");
    }

    /// Presses Tab until the element that `script` names (a JavaScript expression on `e`) has the focus.
    pub async fn tab_to(&self, script: &str) {
        const TAB: char = '\u{e004}';
        for _ in 0..40 {
            self.press([TAB]).await;
            let here = self
                .client
                .execute(
                    &format!("const e = document.activeElement; return Boolean({script});"),
                    vec![],
                )
                .await
                .expect("the script runs");
            if here == json!(true) {
                return;
            }
        }
        panic!(
            "no element reached by Tab has: {script}\n{}",
            self.text().await
        );
    }

    /// Switches between light and dark.
    pub async fn prefer_color_scheme(&self, scheme: &str) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        )
        .await;
    }

    /// Gives the page the size of a screen, in CSS pixels.
    pub async fn screen(&self, width: u32, height: u32) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}),
        )
        .await;
    }

    pub async fn screenshot(&self, file: &Path) {
        let png = self.client.screenshot().await.expect("a screenshot");
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(file, png).expect("the screenshot can be written");
    }

    async fn devtools(&self, method: &str, parameters: Value) {
        self.client
            .issue_cmd(DevTools(json!({"cmd": method, "params": parameters})))
            .await
            .unwrap_or_else(|error| panic!("{method}: {error}"));
    }

    pub async fn close(self) {
        self.client.close().await.expect("the browser closes");
    }
}

/// Chromium's own command behind WebDriver's vendor prefix.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}
