//! Corrections: a stack waits for its custom resources and clusters and fails if they fail, functions
//! get the memory size of their template, and buckets the Object Lock configuration of theirs.
//!
//! fakecloud reports CREATE_COMPLETE before it invokes a custom resource, whatever its response is.
//! It also reads a `MemorySize` that refers to a parameter as a string, and uses 128 MiB, and it
//! ignores `ObjectLockConfiguration`. The
//! gateway records the template and the parameters of each stack and corrects the responses of
//! fakecloud accordingly. Nothing is rolled back: a failed stack reports the status of a completed
//! rollback and keeps its resources until it is deleted.

mod clusters;
mod networks;
mod object_lock;
mod protection;
pub(crate) mod spelling;
mod template;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::Request;

use super::clusters::Clusters;
use super::custom_resource::{CustomResourceAnswer, CustomResources};
use super::identity::Identity;
use super::upstream::{Upstream, UpstreamError};
use super::wire::{decode, element, form, parameter, parameters};
use clusters::{FollowUp, StackCluster};
pub(crate) use networks::Attachment;
use protection::Undeleted;
use template::{Retention, Template};

/// The deadline of a custom resource. CloudFormation itself waits for an hour.
const WITHIN: Duration = Duration::from_secs(300);

/// The recorded stacks, by Region and name.
#[derive(Default)]
pub(crate) struct Stacks {
    recorded: Mutex<BTreeMap<(String, String), StackRecord>>,
    /// Change sets that are not executed, by Region, stack and name.
    pending: Mutex<BTreeMap<(String, String, String), StackRecord>>,
}

#[derive(Clone)]
struct StackRecord {
    at: Instant,
    /// The logical ids of the custom resources.
    custom: Vec<String>,
    /// The memory size of each function, in MiB.
    memory: BTreeMap<String, u64>,
    /// What each function that is attached to a VPC is attached to.
    attachments: BTreeMap<String, Attachment>,
    /// The retention of each bucket with Object Lock.
    locks: BTreeMap<String, Retention>,
    clusters: Vec<StackCluster>,
    /// Why its deletion has failed.
    undeleted: Option<Undeleted>,
    /// Whether the clusters know their node groups and Fargate profiles.
    has_nodes: bool,
    /// Calls that were not successful yet.
    follow_ups: Vec<FollowUp>,
    /// Whether a change set creates the stack.
    is_new: bool,
    /// Who created or changed the stack last.
    caller: Option<Identity>,
    /// The template, for an update that keeps it.
    template: String,
    parameters: BTreeMap<String, String>,
}

/// The state of a stack with regard to its custom resources.
#[derive(Debug, PartialEq, Eq)]
enum StackState {
    /// The status from fakecloud applies.
    Done,
    /// At least one custom resource has not responded.
    Waiting,
    /// The custom resources that failed, each with its reason.
    Failed(BTreeMap<String, String>),
}

/// What the state of a stack depends on, besides its template.
pub(crate) struct Observed<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) resources: &'a CustomResources,
    pub(crate) clusters: &'a Clusters,
}

/// Returns the bucket and the key of a template by its address, in both styles
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>).
pub(crate) fn template_object(url: &str) -> Option<(String, String)> {
    let (_, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let path = path.split('?').next().unwrap_or(path);
    match host.split_once(".s3.") {
        Some((bucket, _)) => Some((bucket.to_owned(), decode(path))),
        None => {
            let (bucket, key) = path.split_once('/')?;
            Some((bucket.to_owned(), decode(key)))
        }
    }
}

/// Returns a request with the template that it names by its address.
///
/// # Errors
/// If the template cannot be read.
pub(crate) async fn with_template(
    upstream: &Upstream,
    account: &str,
    region: &str,
    request: &str,
) -> Result<Option<String>, UpstreamError> {
    let Some((bucket, key)) = parameter(request, "TemplateURL")
        .as_deref()
        .and_then(template_object)
    else {
        return Ok(None);
    };
    let get = Request::get(format!("/{bucket}/{key}"));
    let answer = upstream
        .ask_as_administrator(account, "s3", region, get, "")
        .await?;
    if !answer.is_success() {
        // fakecloud refuses the address.
        return Ok(None);
    }
    let template = answer.text();
    let pairs: Vec<(String, String)> = parameters(request)
        .map(|(name, value)| match name.as_str() {
            "TemplateURL" => ("TemplateBody".to_owned(), template.clone()),
            _ => (name, value),
        })
        .collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
    Ok(Some(form(&pairs)))
}

impl Stacks {
    /// Records a request that creates or updates a stack.
    pub(crate) fn note(&self, account: &str, region: &str, form: &str) {
        let action = parameter(form, "Action").unwrap_or_default();
        if !matches!(action.as_str(), "CreateStack" | "UpdateStack" | "CreateChangeSet") {
            return;
        }
        let name = named(form, "StackName");
        let mut recorded = self.lock();
        let key = (region.to_owned(), name);
        let former = recorded.get(&key);
        let text = parameter(form, "TemplateBody").or_else(|| former.map(|former| former.template.clone()));
        let Some(text) = text else {
            return;
        };
        let mut given = former.map(|former| former.parameters.clone()).unwrap_or_default();
        given.extend(given_parameters(form));
        let template = Template::parse(&text);
        let mut known = given.clone();
        known.insert("AWS::AccountId".to_owned(), account.to_owned());
        let stack = StackRecord {
            at: Instant::now(),
            custom: template.custom_resources(),
            memory: template.memory(&given, region),
            attachments: template.attachments(&given, region),
            locks: template.locks(&known, region),
            clusters: clusters::merged(
                template.clusters(&given, region),
                former.map(|one| &*one.clusters),
            ),
            undeleted: None,
            has_nodes: false,
            follow_ups: template.follow_ups(&known, region),
            is_new: parameter(form, "ChangeSetType").as_deref() == Some("CREATE"),
            caller: former.and_then(|former| former.caller.clone()),
            template: text,
            parameters: given,
        };
        match action.as_str() {
            "CreateChangeSet" => {
                let change_set = parameter(form, "ChangeSetName").unwrap_or_default();
                let mut pending = self.pending.lock().expect("no holder of this lock panics");
                pending.insert((key.0, key.1, change_set), stack);
            }
            _ => drop(recorded.insert(key, stack)),
        }
    }

    /// Records that a change set is executed.
    pub(crate) fn execute(&self, region: &str, form: &str) {
        if parameter(form, "Action").as_deref() != Some("ExecuteChangeSet") {
            return;
        }
        let (stack, change_set) = (named(form, "StackName"), named(form, "ChangeSetName"));
        let mut pending = self.pending.lock().expect("no holder of this lock panics");
        let of = pending
            .keys()
            .find(|(of, on, name)| of == region && *name == change_set && (stack.is_empty() || *on == stack));
        if let Some(key) = of.cloned()
            && let Some(mut record) = pending.remove(&key)
        {
            record.at = Instant::now();
            self.lock().insert((key.0, key.1), record);
        }
    }

    /// Forgets a stack that is deleted. Its clusters go with it.
    pub(crate) fn forget(&self, account: &str, region: &str, name: &str, clusters: &Clusters) {
        let forgotten = self.lock().remove(&(region.to_owned(), name.to_owned()));
        for cluster in forgotten.iter().flat_map(|stack| &stack.clusters) {
            clusters.remove(account, &cluster.name);
        }
    }

    /// Returns the memory size of a function by its template, in MiB. Functions in two accounts
    /// with the same name and Region are not distinguished.
    pub(crate) fn memory(&self, region: &str, function: &str) -> Option<u64> {
        let recorded = self.lock();
        let mut stacks = recorded.iter().filter(|((of, _), _)| of == region);
        stacks.find_map(|(_, stack)| stack.memory.get(function).copied())
    }

    /// Returns what a function is attached to by its template, if that attaches it to a VPC.
    pub(crate) fn attachment(&self, region: &str, function: &str) -> Option<Attachment> {
        let recorded = self.lock();
        let mut stacks = recorded.iter().filter(|((of, _), _)| of == region);
        stacks.find_map(|(_, stack)| stack.attachments.get(function).cloned())
    }

    /// Returns a response with the template of a stack as it was sent: fakecloud has it as [`spelling`] made it.
    pub(crate) fn as_sent(&self, region: &str, form: &str, xml: &str) -> Option<String> {
        if parameter(form, "Action").as_deref() != Some("GetTemplate") {
            return None;
        }
        let recorded = self.lock();
        let sent = recorded.get(&(region.to_owned(), named(form, "StackName")))?;
        let body = format!("<TemplateBody>{}</TemplateBody>", element(xml, "TemplateBody")?);
        let as_sent = format!("<TemplateBody>{}</TemplateBody>", escaped(&sent.template));
        Some(xml.replacen(&body, &as_sent, 1))
    }

    /// Corrects the stack states in a response.
    pub(crate) fn correct(&self, observed: &Observed<'_>, action: &str, xml: &str) -> Option<String> {
        let answers = observed.resources.answers();
        let state = |member: &str| self.standing(observed, member, &answers);
        let corrected = match action {
            "cloudformation:DescribeStacks" | "cloudformation:ListStacks" => {
                members(xml, "<StackName>", |member| {
                    let undeleted = self.undeleted_stack(observed.region, member);
                    let corrected = undeleted.or_else(|| Self::stack(member, state(member)));
                    let shown = corrected.as_deref().unwrap_or(member);
                    Some(self.with_authorities(observed, shown))
                })
            }
            "cloudformation:DescribeChangeSet" => self.change_set(observed.region, xml)?,
            "cloudformation:DescribeStackEvents" => {
                let events = members(xml, "<EventId>", |member| Self::event(member, state(member)));
                let undeleted = self.with_undeleted_event(observed.region, &events);
                undeleted.unwrap_or(events)
            }
            _ => return None,
        };
        (corrected != xml).then_some(corrected)
    }

    /// Corrects a change set that changes nothing: CloudFormation fails it, and fakecloud lists every resource.
    fn change_set(&self, region: &str, xml: &str) -> Option<String> {
        let name = |of: &str| element(xml, of).unwrap_or_default().to_owned();
        let key = (region.to_owned(), name("StackName"), name("ChangeSetName"));
        let pending = self.pending.lock().expect("no holder of this lock panics");
        let (new, recorded) = (pending.get(&key)?, self.lock());
        let known = recorded.get(&(key.0, key.1))?;
        // A stack that was deleted and is created again is still recorded.
        if new.is_new || (&new.template, &new.parameters) != (&known.template, &known.parameters) {
            return None;
        }
        let status = format!("<Status>{}</Status>", element(xml, "Status")?);
        let failed = "<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes. Submit \
                      different information to create a change set.</StatusReason>";
        let changes = xml.find("<Changes>").zip(xml.find("</Changes>"));
        let without = changes.map_or(xml.to_owned(), |(from, to)| {
            format!("{}<Changes>{}", &xml[..from], &xml[to..])
        });
        Some(without.replacen(&status, failed, 1))
    }

    /// Corrects one stack of a response; nothing if it is correct already.
    fn stack(member: &str, state: StackState) -> Option<String> {
        let status = element(member, "StackStatus")?;
        let failed = failed_status(status)?;
        let said = |status: &str, reason: &str| {
            let from = format!("<StackStatus>{}</StackStatus>", element(member, "StackStatus")?);
            let to = format!("<StackStatus>{status}</StackStatus>{reason}");
            Some(member.replacen(&from, &to, 1))
        };
        match state {
            StackState::Done => None,
            StackState::Waiting => said(&status.replace("_COMPLETE", "_IN_PROGRESS"), ""),
            StackState::Failed(resources) => {
                let names: Vec<&str> = resources.keys().map(String::as_str).collect();
                let reason = format!(
                    "<StackStatusReason>The following resource(s) failed: [{}].</StackStatusReason>",
                    names.join(", ")
                );
                said(failed, &reason)
            }
        }
    }

    /// Corrects one event of a response; nothing if it is correct already.
    fn event(member: &str, state: StackState) -> Option<String> {
        let status = element(member, "ResourceStatus")?;
        let failed = failed_status(status)?;
        let of_stack = element(member, "ResourceType") == Some("AWS::CloudFormation::Stack");
        let from = format!("<ResourceStatus>{status}</ResourceStatus>");
        match state {
            StackState::Failed(_) if of_stack => {
                Some(member.replacen(&from, &format!("<ResourceStatus>{failed}</ResourceStatus>"), 1))
            }
            StackState::Failed(resources) => {
                let reason = resources.get(element(member, "LogicalResourceId")?)?;
                let to = format!(
                    "<ResourceStatus>{}</ResourceStatus><ResourceStatusReason>Received response status [FAILED] from \
                     custom resource. Message returned: {}</ResourceStatusReason>",
                    status.replace("_COMPLETE", "_FAILED"),
                    escaped(reason)
                );
                Some(member.replacen(&from, &to, 1))
            }
            StackState::Waiting if of_stack => {
                let status = status.replace("_COMPLETE", "_IN_PROGRESS");
                Some(member.replacen(&from, &format!("<ResourceStatus>{status}</ResourceStatus>"), 1))
            }
            _ => None,
        }
    }

    fn standing(
        &self,
        observed: &Observed<'_>,
        member: &str,
        answers: &[CustomResourceAnswer],
    ) -> StackState {
        let (id, name) = (element(member, "StackId"), element(member, "StackName"));
        let key = (observed.region.to_owned(), name.unwrap_or_default().to_owned());
        let Some(recorded) = self.lock().get(&key).cloned() else {
            return StackState::Done;
        };
        let mut failed = BTreeMap::new();
        match clusters::awaited(observed, &recorded) {
            Ok(false) => {}
            Ok(true) if recorded.at.elapsed() < WITHIN => return StackState::Waiting,
            Ok(true) => drop(failed.insert("Cluster".to_owned(), "it did not become ACTIVE".to_owned())),
            Err(why) => drop(failed.insert("Cluster".to_owned(), why)),
        }
        for resource in &recorded.custom {
            // Requests are in order, so the last match is the latest.
            let last = answers.iter().rfind(|asked| {
                asked.event["StackId"].as_str() == id && asked.event["LogicalResourceId"] == resource.as_str()
            });
            let answer = last.and_then(|asked| asked.answer.as_ref());
            match answer {
                Some(answer) if answer["Status"] == "SUCCESS" => {}
                Some(answer) => {
                    let reason = answer["Reason"].as_str().unwrap_or_default();
                    failed.insert(resource.clone(), reason.to_owned());
                }
                None if recorded.at.elapsed() < WITHIN => return StackState::Waiting,
                None => {
                    let reason = "CloudFormation did not receive a response from your Custom Resource";
                    failed.insert(resource.clone(), reason.to_owned());
                }
            }
        }
        match failed.is_empty() {
            true => StackState::Done,
            false => StackState::Failed(failed),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), StackRecord>> {
        self.recorded.lock().expect("no holder of this lock panics")
    }
}

/// Returns the status of a failed stack that fakecloud reports as complete; nothing for any other status.
fn failed_status(status: &str) -> Option<&'static str> {
    match status {
        "CREATE_COMPLETE" => Some("ROLLBACK_COMPLETE"),
        "UPDATE_COMPLETE" => Some("UPDATE_ROLLBACK_COMPLETE"),
        _ => None,
    }
}

/// Returns the name of the stack or change set that a request names in a parameter; empty if it names none. A client may
/// name it by its ARN: `arn:aws:cloudformation:<region>:<account>:stack/<name>/<id>`.
pub(crate) fn named(form: &str, by: &str) -> String {
    let name = parameter(form, by).unwrap_or_default();
    name.split('/').nth(1).map_or(name.clone(), str::to_owned)
}

/// Returns the parameters of a request that have a value. Parameters that keep their previous value are left out.
fn given_parameters(form: &str) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let mut values = BTreeMap::new();
    for (key, value) in parameters(form) {
        let Some((number, field)) = key
            .strip_prefix("Parameters.member.")
            .and_then(|rest| rest.split_once('.'))
        else {
            continue;
        };
        match field {
            "ParameterKey" => drop(names.insert(number.to_owned(), value)),
            "ParameterValue" => drop(values.insert(number.to_owned(), value)),
            _ => {}
        }
    }
    names
        .into_iter()
        .filter_map(|(number, name)| Some((name, values.remove(&number)?)))
        .collect()
}

/// Returns a response in which the members that begin with the element `first` are changed.
fn members(xml: &str, first: &str, mut change: impl FnMut(&str) -> Option<String>) -> String {
    let mut parts = xml.split(first);
    let mut corrected = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let member = format!("{first}{part}");
        corrected.push_str(&change(&member).unwrap_or(member));
    }
    corrected
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
