//! The events that start a delegate.

use lifeboat_jobs::{JobFile, NetworkCheck};
use lifeboat_model::JobId;
use serde::Deserialize;
use serde_json::Value;

use crate::registration::CustomResourceRequest;

/// The event that started a delegate.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A scheduled tick, or the event of an assignment with its job: the delegate reads the scratch bucket, that
    /// job first. Other content of the event is not used, because the bucket contains all valid documents.
    Tick(Option<JobId>),
    /// CloudFormation creates, updates or deletes the registration of this delegate.
    CustomResourceRequest(Box<CustomResourceRequest>),
    /// The public delegate asks a private one what it observes in its network.
    NetworkCheck(Box<NetworkCheck>),
    /// An unknown event.
    Unknown,
}

impl Event {
    /// Parses the payload of an invocation.
    #[must_use]
    pub fn read(payload: Value) -> Self {
        #[derive(Deserialize)]
        struct Notification {
            source: String,
            #[serde(rename = "detail-type")]
            detail_type: String,
            #[serde(default)]
            detail: Value,
        }
        if payload.get("RequestType").is_some() {
            return match serde_json::from_value(payload) {
                Ok(registration) => Self::CustomResourceRequest(Box::new(registration)),
                Err(_) => Self::Unknown,
            };
        }
        if payload.get("networkCheck").is_some() {
            return match NetworkCheck::of_event(payload) {
                Some(check) => Self::NetworkCheck(Box::new(check)),
                None => Self::Unknown,
            };
        }
        if payload.get("tick").is_some() {
            return Self::Tick(None);
        }
        match serde_json::from_value::<Notification>(payload) {
            Ok(event) if event.source == "aws.s3" && event.detail_type == "Object Created" => {
                let key = event.detail["object"]["key"].as_str();
                Self::Tick(key.and_then(JobFile::of_key).map(|(job, _)| job))
            }
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ticks_and_notifications_mean_the_same() {
        assert_eq!(Event::read(json!({"tick": {}})), Event::Tick(None));
        let created = json!({"version": "0", "source": "aws.s3", "detail-type": "Object Created",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "jobs/shop/x/assignment.json"}}});
        let job = JobId::parse("shop/x").ok();
        assert_eq!(Event::read(created.clone()), Event::Tick(job));
        for other in ["captures/shop/x", "jobs/shop/../x/assignment.json", ""] {
            let mut created = created.clone();
            created["detail"]["object"]["key"] = other.into();
            assert_eq!(Event::read(created), Event::Tick(None), "{other}");
        }
    }

    #[test]
    fn a_network_check_needs_no_job() {
        let check = Event::NetworkCheck(Box::default());
        assert_eq!(Event::read(json!({"networkCheck": {}})), check);
    }

    #[test]
    fn what_nobody_should_send_is_unknown() {
        for payload in [
            json!({}),
            json!(null),
            json!([1]),
            json!("tick"),
            json!({"source": "aws.ec2", "detail-type": "Object Created"}),
            json!({"RequestType": "Create"}),
            json!({"capture": {"clusters": ["arn"]}}),
            json!({"networkCheck": {"apiServer": {"url": "http://10.0.0.1", "ca": "", "accessEntries": true}}}),
            json!({"networkCheck": {}, "tick": {}}),
        ] {
            assert_eq!(Event::read(payload.clone()), Event::Unknown, "{payload}");
        }
    }
}
