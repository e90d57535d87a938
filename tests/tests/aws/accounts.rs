//! Both accounts of the tour with their administrators: objects, functions, the coordinator.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lifeboat_local::LocalAws;
use lifeboat_tests::aws::Scenario;
use lifeboat_tests::aws::client::Client;
use lifeboat_tests::environment::pause;
use serde_json::{Value, json};

/// The names of the tour.
pub(crate) const PRIMARY: &str = "111111111111-eu-west-1";
pub(crate) const RECOVERY: &str = "222222222222-eu-central-1";
pub(crate) const PRIMARY_SCRATCH: &str = "lifeboat-scratch-111111111111-eu-west-1";
pub(crate) const RECOVERY_SCRATCH: &str = "lifeboat-scratch-222222222222-eu-central-1";
pub(crate) const VAULT: &str = "lifeboat-vault-222222222222-eu-central-1";
pub(crate) const STATE: &str = "lifeboat-state-222222222222-eu-central-1";
pub(crate) const TOPIC: &str = "arn:aws:sns:eu-central-1:222222222222:lifeboat-issues";
pub(crate) const COORDINATOR: &str = "lifeboat-coordinator";

/// Two ticks of coordinator and delegate each, on a busy machine.
const WITHIN: Duration = Duration::from_secs(150);

/// How often a request is sent if concurrent coordinators change the state first.
const TRIES: u32 = 5;

/// The pause between two polls.
const PAUSE: Duration = Duration::from_secs(1);

/// The environment of a test of the whole system.
pub(crate) struct TestAccounts<'a> {
    pub(crate) aws: &'a LocalAws,
    pub(crate) primary: &'a Client,
    pub(crate) recovery: &'a Client,
    folder: PathBuf,
}

impl<'a> TestAccounts<'a> {
    pub(crate) fn of(scenario: &'a Scenario<'a>) -> Result<Self> {
        let folder = scenario.aws.dir().join("trust");
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            aws: scenario.aws,
            primary: &scenario.primary,
            recovery: &scenario.recovery,
            folder,
        })
    }

    /// Returns the path of a file in a folder that is removed with the local AWS.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes an object.
    pub(crate) fn put(&self, who: &Client, bucket: &str, key: &str, bytes: &[u8]) -> Result<()> {
        let file = self.file("put");
        std::fs::write(&file, bytes)?;
        let body = file.to_string_lossy().into_owned();
        let arguments = [
            "s3api",
            "put-object",
            "--bucket",
            bucket,
            "--key",
            key,
            "--body",
            &body,
        ];
        who.text(&arguments).map(|_| ())
    }

    /// Reads an object.
    pub(crate) fn get(&self, who: &Client, bucket: &str, key: &str) -> Result<Vec<u8>> {
        let file = self.file("got");
        let path = file.to_string_lossy().into_owned();
        who.text(&["s3api", "get-object", "--bucket", bucket, "--key", key, &path])?;
        Ok(std::fs::read(file)?)
    }

    /// Reads a JSON document.
    pub(crate) fn document(&self, who: &Client, bucket: &str, key: &str) -> Result<Value> {
        let bytes = self.get(who, bucket, key)?;
        serde_json::from_slice(&bytes).with_context(|| format!("{bucket}/{key} is no document"))
    }

    /// Returns the keys with this prefix, in order.
    pub(crate) fn keys(&self, who: &Client, bucket: &str, prefix: &str) -> Result<Vec<String>> {
        let listed = who.json(&["s3api", "list-objects-v2", "--bucket", bucket, "--prefix", prefix])?;
        let keys = list(&listed["Contents"])
            .iter()
            .map(|found| text(&found["Key"]).to_owned());
        Ok(keys.collect())
    }

    /// Sends a request to the coordinator and returns its response. Retries if the coordinator lost
    /// every compare-and-swap to another one.
    pub(crate) fn ask(&self, request: &Value) -> Result<Value> {
        let mut tries = 0;
        loop {
            let answer = self.recovery.invoke(COORDINATOR, request)?;
            let refused = text(&answer["refused"][0]["message"]);
            tries += 1;
            if tries == TRIES || !refused.contains("its state changed during every attempt") {
                ensure!(answer["refused"].is_null(), "{request} was refused: {answer}");
                return Ok(answer);
            }
        }
    }

    /// Returns the status of an application.
    pub(crate) fn status(&self, application: &str) -> Result<Value> {
        let mut answer = self.ask(&json!({"status": {"application": application}}))?;
        Ok(answer["status"]["applications"][0].take())
    }

    /// Sends a tick to the coordinator.
    pub(crate) fn tick(&self) -> Result<()> {
        self.recovery
            .invoke(COORDINATOR, &json!({"tick": {}}))
            .map(|_| ())
    }

    /// Polls until there is a result.
    pub(crate) fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let began = Instant::now();
        loop {
            if let Some(found) = ask().with_context(|| what.to_owned())? {
                return Ok(found);
            }
            if began.elapsed() >= WITHIN {
                let points = self.ask(&json!({"points": {"application": "shop"}}))?;
                let (seconds, status) = (WITHIN.as_secs(), self.status("shop")?);
                bail!("{what}: not met within {seconds} seconds; {status} {points}");
            }
            pause(PAUSE);
        }
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
