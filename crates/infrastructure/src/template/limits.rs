//! The limits of CloudFormation and IAM, checked before anything is sent.

use lifeboat_model::Code;
use serde_json::Value;

use super::{Resource, Template};
use crate::finding::Findings;

// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const MOST_RESOURCES: usize = 500;
const MOST_OUTPUTS: usize = 200;
const MOST_PARAMETERS: usize = 200;
const LARGEST_BODY: usize = 1_048_576;

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: IAM counts characters without white space.
const LONGEST_TRUST: usize = 2_048;
const LONGEST_TRUST_BY_QUOTA: usize = 4_096;
const MOST_POLICIES: usize = 10;
const MOST_POLICIES_BY_QUOTA: usize = 20;
const LONGEST_INLINE: usize = 10_240;
const LONGEST_MANAGED: usize = 6_144;

/// Finds what exceeds a limit.
pub(crate) fn check(template: &Template, name: &str, findings: &mut Findings) {
    for (what, count, most) in [
        ("resources", template.resources.len(), MOST_RESOURCES),
        ("outputs", template.outputs.len(), MOST_OUTPUTS),
        ("parameters", template.parameters.len(), MOST_PARAMETERS),
        ("bytes", template.body().len(), LARGEST_BODY),
    ] {
        if count > most {
            findings.error(
                Code::TemplateTooLarge,
                name,
                format!("the template has {count} {what}, and CloudFormation accepts {most}"),
            );
        }
    }
    for (logical, resource) in &template.resources {
        match resource.r#type {
            "AWS::IAM::Role" => role(logical, resource, findings),
            "AWS::IAM::ManagedPolicy" => {
                let length = resource.properties.get("PolicyDocument").map_or(0, length);
                too_long(
                    findings,
                    logical,
                    "the policy",
                    length,
                    LONGEST_MANAGED,
                    LONGEST_MANAGED,
                );
            }
            _ => {}
        }
    }
}

/// Returns the number of characters of a policy. White space counts as none; JSON in its compact form has it in
/// strings only.
fn length(policy: &Value) -> usize {
    policy.to_string().chars().filter(|c| !c.is_whitespace()).count()
}

fn role(logical: &str, resource: &Resource, findings: &mut Findings) {
    let property = |name: &str| resource.properties.get(name);
    let trust = property("AssumeRolePolicyDocument").map_or(0, length);
    too_long(
        findings,
        logical,
        "the trust policy",
        trust,
        LONGEST_TRUST,
        LONGEST_TRUST_BY_QUOTA,
    );
    let list = |name: &str| property(name).and_then(Value::as_array).into_iter().flatten();
    let inline = list("Policies")
        .filter_map(|policy| policy.get("PolicyDocument"))
        .map(length);
    too_long(
        findings,
        logical,
        "its inline policies together",
        inline.sum(),
        LONGEST_INLINE,
        LONGEST_INLINE,
    );
    let attached = list("ManagedPolicyArns").count();
    if attached > MOST_POLICIES {
        let what =
            format!("{attached} managed policies are attached, and IAM accepts {MOST_POLICIES} by default");
        if attached > MOST_POLICIES_BY_QUOTA {
            findings.error(Code::PolicyTooLarge, logical, what);
        } else {
            findings.warning(Code::PolicyTooLarge, logical, what);
        }
    }
}

fn too_long(
    findings: &mut Findings,
    logical: &str,
    what: &str,
    length: usize,
    longest: usize,
    by_quota: usize,
) {
    let text = || format!("{what} has {length} characters, and IAM accepts {longest}");
    if length > by_quota {
        findings.error(Code::PolicyTooLarge, logical, text());
    } else if length > longest {
        findings.warning(
            Code::PolicyTooLarge,
            logical,
            format!("{} by default and {by_quota} by quota", text()),
        );
    }
}
