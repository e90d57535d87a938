//! The network check of a private delegate: the event that asks for it, and the answer.
//!
//! The public delegate invokes the private one directly: a delegate that does not reach its scratch bucket can answer no job.
//! The function that answers may be in an account that somebody has taken over, so its answer is bounded and checked, and an
//! event that is not as expected is refused.

use lifeboat_model::network::NetworkObservations;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::endpoint::ClusterEndpoint;

/// The maximum size of an answer in bytes: observations are smaller than 8 KiB.
pub const LONGEST_ANSWER: usize = 16 << 10;

/// The event of a check: `{"networkCheck": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkCheckEvent {
    /// What is checked besides Amazon S3.
    pub network_check: NetworkCheck,
}

/// What a network check is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkCheck {
    /// The API server; only Amazon S3 is checked if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_server: Option<ClusterEndpoint>,
}

impl NetworkCheck {
    /// Returns the event that asks for the check.
    #[must_use]
    pub fn event(self) -> Value {
        let event = NetworkCheckEvent { network_check: self };
        serde_json::to_value(event).expect("an event has no map with other keys than texts")
    }

    /// Reads an event; `None` if it is none of a check, or if its endpoint cannot be one.
    #[must_use]
    pub fn of_event(event: Value) -> Option<Self> {
        let check = serde_json::from_value::<NetworkCheckEvent>(event)
            .ok()?
            .network_check;
        let is_valid = check.api_server.as_ref().is_none_or(ClusterEndpoint::is_valid);
        is_valid.then_some(check)
    }
}

/// Reads the answer of a function; `None` if it cannot be one of a delegate.
#[must_use]
pub fn observations(answer: &[u8]) -> Option<NetworkObservations> {
    if answer.len() > LONGEST_ANSWER {
        return None;
    }
    let read: NetworkObservations = serde_json::from_slice(answer).ok()?;
    read.is_valid().then_some(read)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_as_it_is_written() {
        let endpoint = ClusterEndpoint {
            url: "https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com".to_owned(),
            ca: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned(),
            access_entries: true,
        };
        let check = NetworkCheck {
            api_server: Some(endpoint),
        };
        assert_eq!(NetworkCheck::of_event(check.clone().event()), Some(check));
        assert_eq!(
            NetworkCheck::of_event(json!({"networkCheck": {}})),
            Some(NetworkCheck::default())
        );
        let inside = json!({"url": "http://169.254.169.254", "ca": "-----BEGIN CERTIFICATE-----", "accessEntries": true});
        for wrong in [
            json!({"networkCheck": {"apiServer": inside}}),
            json!({"networkCheck": {"host": "other"}}),
            json!({"networkCheck": {}, "tick": {}}),
            json!({"tick": {}}),
        ] {
            assert_eq!(NetworkCheck::of_event(wrong.clone()), None, "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_limited_and_checked() {
        let answer = json!({"s3": {"host": "s3.eu-west-1.amazonaws.com", "port": 443, "addresses": ["52.218.0.1"],
            "failure": {"timedOut": {}}}});
        assert!(observations(answer.to_string().as_bytes()).is_some());
        let mut wrong = answer.clone();
        wrong["s3"]["host"] = "$(reboot)".into();
        assert_eq!(observations(wrong.to_string().as_bytes()), None);
        let mut long = answer;
        long["s3"]["failure"] = json!({"interrupted": {"said": "x".repeat(LONGEST_ANSWER)}});
        assert_eq!(observations(long.to_string().as_bytes()), None);
        assert_eq!(observations(b"{\"refused\": true}"), None);
    }
}
