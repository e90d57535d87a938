//! `Custom::LifeboatApplication`: an application's document as a custom resource of a stack.
//!
//! The property `Document` is the text of the document, YAML or JSON, as `lifeboat application put` reads it:
//! CloudFormation passes every number in the properties of a custom resource as a string, but leaves the
//! contents of a string unchanged. Deleting the resource removes the application; its recovery points stay in
//! the vault.

use jiff::Timestamp;
use lifeboat_aws::custom_resource::{NO_RESOURCE_ID, RequestType, ResourceAnswer, ResourceRequest};
use lifeboat_model::request::{Answer, ApplicationRequest, Request};
use lifeboat_model::{ApplicationDocument, ApplicationName, Problem};

use crate::lambda::Coordinator;

/// The resource type in templates.
pub const TYPE: &str = "Custom::LifeboatApplication";

/// Handles a CloudFormation request. Deletion never fails: a stack can always be deleted.
pub async fn answer(
    coordinator: &Coordinator,
    request: &ResourceRequest,
    until: Timestamp,
) -> ResourceAnswer {
    let outcome = match (request.resource_type.as_str(), request.request_type) {
        (TYPE, RequestType::Create | RequestType::Update) => put(coordinator, request, until).await,
        (_, RequestType::Delete) => Ok(remove(coordinator, request).await),
        (other, _) => Err(format!("{other} is not supported; only {TYPE} is")),
    };
    if let Err(reason) = &outcome {
        tracing::error!(stack = %request.stack_id, resource = %request.logical_resource_id, %reason, "a custom resource failed");
    }
    ResourceAnswer::new(request, outcome)
}

fn former(request: &ResourceRequest) -> &str {
    request.physical_resource_id.as_deref().unwrap_or(NO_RESOURCE_ID)
}

/// Puts the application. The physical resource ID is the application's name, so that CloudFormation deletes
/// the old application if the document changes the name.
async fn put(
    coordinator: &Coordinator,
    request: &ResourceRequest,
    until: Timestamp,
) -> Result<String, String> {
    let text = request.resource_properties.get("Document");
    let text = text
        .and_then(|text| text.as_str())
        .ok_or("the property Document must be a string with the application document in YAML or JSON")?;
    let document: ApplicationDocument =
        serde_yaml_ng::from_str(text).map_err(|error| format!("the property Document: {error}"))?;
    let name = document.name.clone();
    // Otherwise two owners would overwrite each other, and deleting the first stack would delete the other's
    // application. An equal document is a repetition of this request.
    if name != former(request)
        && let Ok(application) = ApplicationName::parse(&name)
    {
        let get = Request::Application(ApplicationRequest::Get { application });
        if let Answer::Application(other) = coordinator.answer(get, until).await
            && *other != document
        {
            return Err(format!(
                "an application named {name} already exists: choose another name, or manage it in one place only"
            ));
        }
    }
    let put = Request::Application(ApplicationRequest::Put(Box::new(document)));
    match coordinator.answer(put, until).await {
        Answer::Refused(problems) => Err(problems.iter().map(line).collect::<Vec<_>>().join(" / ")),
        _ => Ok(name),
    }
}

/// Removes the application. If the state bucket fails, the application is still listed and can be removed
/// manually.
async fn remove(coordinator: &Coordinator, request: &ResourceRequest) -> String {
    let name = former(request);
    // A failed creation has created nothing.
    if let (TYPE, Ok(application)) = (request.resource_type.as_str(), ApplicationName::parse(name))
        && let Err(problem) = coordinator.remove(&application).await
    {
        tracing::warn!(%application, code = %problem.code, problem = %problem.message, "the application is kept");
    }
    name.to_owned()
}

fn line(problem: &Problem) -> String {
    format!("{} {}. {}", problem.code, problem.message, problem.guidance)
}
