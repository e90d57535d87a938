//! Correction: custom resources answer by their `ResponseURL`.
//!
//! fakecloud invokes the function of a custom resource and looks at nothing that
//! comes back: its event has no URL, its numbers are no texts, and what the function
//! calls the resource is forgotten. The function host completes such events, and
//! an answer of FAILED becomes an error of the function. What a stack makes of an answer
//! is the correction of [`super::stacks`]; tests read the answers from
//! [`crate::LocalAws::custom_resources`].
//!
//! Where a property changes, fakecloud asks to delete the resource and to create another
//! one, in any order, and CloudFormation asks for an update
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes.html>):
//! the deletion is kept from the function, and the creation becomes an update. A resource
//! that an update takes out of its template is not told from one that it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::{Value, json};

/// The path below which answers arrive.
pub(crate) const PATH: &str = "/_lifeboat/cloudformation/";

/// What a custom resource was asked and what it answered.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomResourceAnswer {
    /// The event that the function got.
    pub event: Value,
    /// The document that the function put to the URL; nothing if it did not.
    pub answer: Option<Value>,
}

/// All custom resources that were asked so far, in that order, with the ids of the requests.
#[derive(Default)]
pub(crate) struct CustomResources {
    asked: Mutex<Vec<(String, CustomResourceAnswer)>>,
    /// The names that functions gave, by stack and logical id.
    names: Mutex<BTreeMap<(String, String), Value>>,
    /// Stacks that are being deleted, by Region and name.
    ending: Mutex<BTreeSet<(String, String)>>,
}

/// What becomes of an event on its way to a function.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EventRouting {
    /// It is no event of CloudFormation.
    AsItIs,
    /// The function gets this one. Its answer is found by the id.
    Completed { id: String, event: Vec<u8> },
    /// The function does not get it.
    Kept,
}

impl CustomResources {
    /// Remembers that a stack, given by its name or its ARN, is being deleted.
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
            // If one of that name was deleted, this is another.
            lock(&self.ending).remove(&stack);
        }
        let is_ending = lock(&self.ending).contains(&stack);
        // fakecloud leaves the properties out; a test that asks in its place does not.
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
        // The same event again is the same request.
        asked.retain(|(known, _)| *known != id);
        asked.push((id.clone(), CustomResourceAnswer { event, answer: None }));
        EventRouting::Completed { id, event: bytes }
    }

    /// Takes what a function put to its URL; false for a URL that nobody gave out.
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

    /// The error of a function whose resource failed.
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

/// An event for a custom resource that nobody has completed yet.
fn custom_event(event: &[u8]) -> Option<Value> {
    let event: Value = serde_json::from_slice(event).ok()?;
    let is_custom = event["RequestType"].is_string()
        && event["RequestId"].is_string()
        && event["ServiceToken"].is_string()
        && event["LogicalResourceId"].is_string()
        && event["ResponseURL"].is_null();
    is_custom.then_some(event)
}

/// The name of a stack that is given by its name or its ARN.
fn name_of(stack: &str) -> &str {
    stack.split('/').nth(1).unwrap_or(stack)
}

fn place(event: &Value) -> (String, String) {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    (text("StackId"), text("LogicalResourceId"))
}

/// CloudFormation passes every scalar property as a text.
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

    /// What the function gets.
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
