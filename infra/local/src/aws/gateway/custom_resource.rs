//! Mend: custom resources answer by their `ResponseURL`.
//!
//! fakecloud invokes the function of a custom resource and looks at nothing that
//! comes back: its event has no URL, its numbers are no texts, and what the function
//! calls the resource is forgotten. The function host completes such events, and
//! an answer of FAILED becomes an error of the function. What a stack makes of an answer
//! is the mend of [`super::stacks`]; tests read the answers from
//! [`crate::LocalAws::custom_resources`].

use std::collections::BTreeMap;
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
}

impl CustomResources {
    /// Completes an event of CloudFormation; nothing for any other event. Also gives
    /// the id by which its answer is found.
    pub(crate) fn complete(&self, event: &[u8], gateway: &str) -> Option<(String, Vec<u8>)> {
        let mut event: Value = serde_json::from_slice(event).ok()?;
        let is_custom = event["RequestType"].is_string()
            && event["ServiceToken"].is_string()
            && event["LogicalResourceId"].is_string()
            && event["ResponseURL"].is_null();
        if !is_custom {
            return None;
        }
        let id = event["RequestId"].as_str()?.to_owned();
        event["ResponseURL"] = format!("{gateway}{PATH}{id}").into();
        as_texts(&mut event["ResourceProperties"]);
        if let Some(name) = lock(&self.names).get(&place(&event)) {
            event["PhysicalResourceId"] = name.clone();
        }
        let bytes = event.to_string().into_bytes();
        let mut asked = lock(&self.asked);
        // The same event again is the same request.
        asked.retain(|(known, _)| *known != id);
        asked.push((id.clone(), CustomResourceAnswer { event, answer: None }));
        drop(asked);
        Some((id, bytes))
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
            "RequestType": kind, "RequestId": id, "ServiceToken": "arn", "StackId": "s", "LogicalResourceId": "R",
            "PhysicalResourceId": "made-up", "ResourceProperties": { "A": 1, "B": [true, "x"] },
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn an_answer_is_taken_and_its_name_kept() {
        let resources = CustomResources::default();
        let (id, completed) = resources.complete(&event("Create", "1"), "http://g").unwrap();
        let completed: Value = serde_json::from_slice(&completed).unwrap();
        assert_eq!(completed["ResponseURL"], "http://g/_lifeboat/cloudformation/1");
        assert_eq!(
            completed["ResourceProperties"],
            json!({ "A": "1", "B": ["true", "x"] })
        );
        assert_eq!(resources.failure(&id), None);
        assert!(resources.take(&id, br#"{"Status":"SUCCESS","PhysicalResourceId":"mine"}"#));
        assert_eq!(resources.failure(&id), None);
        let (id, deleted) = resources.complete(&event("Delete", "2"), "http://g").unwrap();
        let deleted: Value = serde_json::from_slice(&deleted).unwrap();
        assert_eq!(deleted["PhysicalResourceId"], "mine");
        assert!(resources.take(&id, br#"{"Status":"FAILED","Reason":"no"}"#));
        assert!(resources.failure(&id).unwrap().contains("\"no\""));
        assert!(!resources.take("3", b"{}"));
        assert_eq!(resources.complete(br#"{"detail":{}}"#, "http://g"), None);
    }
}
