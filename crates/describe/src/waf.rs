//! Web ACLs of AWS WAF.

use lifeboat_aws::json::JsonCall;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::{Candidate, CandidateKind};
use serde::Deserialize;
use serde_json::json;

use crate::unbuilt;

/// ListWebACLs returns no more at a time (<https://docs.aws.amazon.com/waf/latest/APIReference/API_ListWebACLs.html>).
const AT_A_TIME: u32 = 100;

/// A part of the list of web ACLs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Page {
    #[serde(rename = "WebACLs")]
    web_acls: Vec<Summary>,
    next_marker: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Summary {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "ARN")]
    arn: String,
}

/// Returns the regional web ACLs of an account and Region as candidates, sorted by ARN.
///
/// # Errors
/// [`AwsError`] if AWS WAF refuses the call or does not answer.
pub(crate) async fn candidates(context: &AwsContext) -> Result<Vec<Candidate>, AwsError> {
    let call = JsonCall {
        service: "wafv2",
        target: "AWSWAF_20190729",
        operation: "ListWebACLs",
        action: unbuilt::LIST_WEB_ACLS.name(),
        on: "AWS::WAFv2::WebACL",
    };
    let mut found = Vec::new();
    let mut input = json!({"Scope": "REGIONAL", "Limit": AT_A_TIME});
    loop {
        let page: Page = call.send(context, &input).await?;
        // The last part may have a marker as well; what is behind it is empty.
        let is_last = page.web_acls.is_empty();
        found.extend(page.web_acls.into_iter().map(|acl| Candidate {
            name: Some(acl.name),
            ..Candidate::new(CandidateKind::WebAcl, acl.arn)
        }));
        match page.next_marker.filter(|_| !is_last) {
            Some(marker) => input["NextMarker"] = marker.into(),
            None => break,
        }
    }
    found.sort();
    Ok(found)
}
