//! Correction: custom resources respond through their `ResponseURL`.
//!
//! fakecloud invokes the function of a custom resource and ignores its response: the event has no
//! URL, its numbers are not strings, and the physical resource id from the function is discarded.
//! The function host completes such events, and a response of FAILED becomes an error of the
//! function. The effect of a response on the stack is the correction of [`super::stacks`]; tests
//! read the responses from [`crate::LocalAws::custom_resources`].
//!
//! When a property changes, fakecloud deletes the resource and creates another one, in any order,
//! whereas CloudFormation sends an update
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes.html>).
//! So the deletion is not sent to the function, and the creation becomes an update. A resource that
//! an update removes from its template is not distinguished from one that it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::{Value, json};

/// The path prefix of the URLs for responses.
pub(crate) const PATH: &str = "/_lifeboat/cloudformation/";

/// A request to a custom resource and its response.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomResourceAnswer {
    /// The event that the function received.
    pub event: Value,
    /// The document that the function sent to the URL; nothing if it sent none.
    pub answer: Option<Value>,
}

/// All requests to custom resources so far, in order, with their request ids.
#[derive(Default)]
pub(crate) struct CustomResources {
    asked: Mutex<Vec<(String, CustomResourceAnswer)>>,
    /// The physical resource ids from the functions, by stack and logical id.
    names: Mutex<BTreeMap<(String, String), Value>>,
    /// Stacks that are being deleted, by Region and name.
    ending: Mutex<BTreeSet<(String, String)>>,
}

/// The handling of an event that is addressed to a function.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EventRouting {
    /// The event is not from CloudFormation and is passed unchanged.
    AsItIs,
    /// The function gets this event. The response is found by the id.
    Completed { id: String, event: Vec<u8> },
    /// The event is not sent to the function.
    Kept,
}

impl CustomResources {
    /// Records that a stack, given by its name or its ARN, is being deleted.
    pub(crate) fn end(&self, region: &str, stack: &str) {
        lock(&self.ending).insert((region.to_owned(), name_of(stack).to_owned()));
    }

    /// Completes an event of CloudFormation.
    pub(crate) fn pass(&self, event: &[u8], gateway: &str) -> EventRouting {
        let Some(mut event) = custom_event(event) else {
            return EventRouting::AsItIs;
        };
        let (place, stack) = (place(&event), event["StackId"].as_str().unwrap_or_default());
        let region = stack.split(':').nth(3).unwrap_or_default();
        let stack = (region.to_owned(), name_of(stack).to_owned());
        if event["RequestType"] == "Create" {
            // After a deletion, a stack with the same name is another stack.
            lock(&self.ending).remove(&stack);
        }
        let is_ending = lock(&self.ending).contains(&stack);
        // Events from fakecloud have no properties here; events that a test sends in its place have them.
        if event["RequestType"] == "Delete" && event["ResourceProperties"].is_null() && !is_ending {
            return EventRouting::Kept;
        }
        let id = event["RequestId"].as_str().unwrap_or_default().to_owned();
        event["ResponseURL"] = format!("{gateway}{PATH}{id}").into();
        as_texts(&mut event["ResourceProperties"]);
        let mut asked = lock(&self.asked);
        if let Some(name) = lock(&self.names).get(&place) {
            event["PhysicalResourceId"] = name.clone();
            if event["RequestType"] == "Create" {
                let former = asked
                    .iter()
                    .rfind(|(_, record)| self::place(&record.event) == place);
                event["OldResourceProperties"] = former.map_or(Value::Null, |(_, record)| {
                    record.event["ResourceProperties"].clone()
                });
                event["RequestType"] = "Update".into();
            }
        }
        let bytes = event.to_string().into_bytes();
        // An event with the same id is the same request.
        asked.retain(|(known, _)| *known != id);
        asked.push((id.clone(), CustomResourceAnswer { event, answer: None }));
        EventRouting::Completed { id, event: bytes }
    }

    /// Records the response that a function sent to its URL; returns false for an unknown URL.
    pub(crate) fn take(&self, id: &str, answer: &[u8]) -> bool {
        let answer: Value = serde_json::from_slice(answer).unwrap_or(Value::Null);
        let mut asked = lock(&self.asked);
        let Some((_, record)) = asked.iter_mut().find(|(known, _)| known == id) else {
            return false;
        };
        if answer["PhysicalResourceId"].is_string() {
            lock(&self.names).insert(place(&record.event), answer["PhysicalResourceId"].clone());
        }
        record.answer = Some(answer);
        true
    }

    /// Returns the error of a function whose resource failed.
    pub(crate) fn failure(&self, id: &str) -> Option<String> {
        let asked = lock(&self.asked);
        let (_, record) = asked.iter().find(|(known, _)| known == id)?;
        let answer = record.answer.as_ref()?;
        (answer["Status"] != "SUCCESS").then(|| {
            json!({ "errorType": "CustomResource.Failed", "errorMessage": answer["Reason"] }).to_string()
        })
    }

    pub(crate) fn answers(&self) -> Vec<CustomResourceAnswer> {
        let asked = lock(&self.asked);
        asked.iter().map(|(_, record)| record.clone()).collect()
    }
}

/// Parses an event for a custom resource that has no `ResponseURL` yet.
fn custom_event(event: &[u8]) -> Option<Value> {
    let event: Value = serde_json::from_slice(event).ok()?;
    let is_custom = event["RequestType"].is_string()
        && event["RequestId"].is_string()
        && event["ServiceToken"].is_string()
        && event["LogicalResourceId"].is_string()
        && event["ResponseURL"].is_null();
    is_custom.then_some(event)
}

/// Returns the name of a stack that is given by its name or its ARN.
fn name_of(stack: &str) -> &str {
    stack.split('/').nth(1).unwrap_or(stack)
}

fn place(event: &Value) -> (String, String) {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    (text("StackId"), text("LogicalResourceId"))
}

/// CloudFormation passes every scalar property as a string.
fn as_texts(value: &mut Value) {
    match value {
        Value::Bool(_) | Value::Number(_) => *value = value.to_string().into(),
        Value::Array(items) => items.iter_mut().for_each(as_texts),
        Value::Object(fields) => fields.values_mut().for_each(as_texts),
        Value::Null | Value::String(_) => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn event(kind: &str, id: &str) -> Vec<u8> {
        json!({
            "RequestType": kind, "RequestId": id, "ServiceToken": "arn", "LogicalResourceId": "R",
            "StackId": "arn:aws:cloudformation:eu-west-1:111111111111:stack/s/1",
            "PhysicalResourceId": "made-up", "ResourceProperties": { "A": 1, "B": [true, id] },
        })
        .to_string()
        .into_bytes()
    }

    /// Returns the event that the function receives.
    fn passed(resources: &CustomResources, kind: &str, id: &str) -> Value {
        match resources.pass(&event(kind, id), "http://g") {
            EventRouting::Completed { id: given, event } => {
                assert_eq!(given, id);
                serde_json::from_slice(&event).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_is_taken_and_its_name_kept() {
        let resources = CustomResources::default();
        let created = passed(&resources, "Create", "1");
        assert_eq!(created["ResponseURL"], "http://g/_lifeboat/cloudformation/1");
        assert_eq!(
            created["ResourceProperties"],
            json!({ "A": "1", "B": ["true", "1"] })
        );
        assert_eq!(resources.failure("1"), None);
        assert!(resources.take("1", br#"{"Status":"SUCCESS","PhysicalResourceId":"mine"}"#));
        assert_eq!(resources.failure("1"), None);
        resources.end("eu-west-1", "s");
        assert_eq!(passed(&resources, "Delete", "2")["PhysicalResourceId"], "mine");
        assert!(resources.take("2", br#"{"Status":"FAILED","Reason":"no"}"#));
        assert!(resources.failure("2").unwrap().contains("\"no\""));
        assert!(!resources.take("3", b"{}"));
        let other = resources.pass(br#"{"detail":{}}"#, "http://g");
        assert_eq!(other, EventRouting::AsItIs);
    }

    #[test]
    fn a_replacement_becomes_an_update() {
        let resources = CustomResources::default();
        passed(&resources, "Create", "1");
        assert!(resources.take("1", br#"{"Status":"SUCCESS","PhysicalResourceId":"mine"}"#));
        let mut delete: Value = serde_json::from_slice(&event("Delete", "2")).unwrap();
        delete["ResourceProperties"] = Value::Null;
        let delete = delete.to_string().into_bytes();
        assert_eq!(resources.pass(&delete, "http://g"), EventRouting::Kept);
        let updated = passed(&resources, "Create", "3");
        assert_eq!(updated["RequestType"], "Update");
        assert_eq!(updated["PhysicalResourceId"], "mine");
        assert_eq!(updated["OldResourceProperties"]["B"], json!(["true", "1"]));
        assert_eq!(updated["ResourceProperties"]["B"], json!(["true", "3"]));
        resources.end(
            "eu-west-1",
            "arn:aws:cloudformation:eu-west-1:111111111111:stack/s/1",
        );
        assert_ne!(resources.pass(&delete, "http://g"), EventRouting::Kept);
        passed(&resources, "Create", "4");
        assert_eq!(resources.pass(&delete, "http://g"), EventRouting::Kept);
    }
}
