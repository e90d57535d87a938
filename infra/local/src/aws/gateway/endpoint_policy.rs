//! Correction: the policies of VPC endpoints.
//!
//! fakecloud keeps none. The gateway records the policy in CreateVpcEndpoint and ModifyVpcEndpoint, adds it to the answers
//! of EC2, and evaluates it for requests that come through the endpoint (AWS PrivateLink Guide, "Control access to VPC
//! endpoints using endpoint policies"). An endpoint of a template has the default policy.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::request::Parts;
use serde_json::Value;

use super::denials::{Statement, conditions_hold, is_named, refusal};
use super::identity::Identity;
use super::operation::Need;
use super::wire::{Body, element, parameter};

/// The policy of an endpoint that is created without one (<https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html>).
const DEFAULT: &str = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

/// The policies of endpoints, by the ids of the endpoints.
#[derive(Default)]
pub(crate) struct EndpointPolicies(Mutex<BTreeMap<String, String>>);

impl EndpointPolicies {
    /// Records the policy in a successful request to EC2, and returns its answer with the policies of the endpoints; nothing
    /// if the answer names none.
    pub(crate) fn correct(&self, action: &str, form: &str, xml: &str) -> Option<String> {
        let mut policies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let given = parameter(form, "PolicyDocument");
        match action {
            "ec2:CreateVpcEndpoint" => {
                let id = element(xml, "vpcEndpointId")?;
                policies.insert(id.to_owned(), given.unwrap_or_else(|| DEFAULT.to_owned()));
            }
            "ec2:ModifyVpcEndpoint" => {
                let resets = parameter(form, "ResetPolicy").is_some_and(|resets| resets == "true");
                let policy = given.or_else(|| resets.then(|| DEFAULT.to_owned()))?;
                policies.insert(parameter(form, "VpcEndpointId")?, policy);
                return None;
            }
            "ec2:DescribeVpcEndpoints" => {}
            _ => return None,
        }
        let corrected = policies.iter().fold(xml.to_owned(), |xml, (id, policy)| {
            let id = format!("<vpcEndpointId>{id}</vpcEndpointId>");
            let policy = policy
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            xml.replace(&id, &format!("{id}<policyDocument>{policy}</policyDocument>"))
        });
        (corrected != xml).then_some(corrected)
    }

    /// Returns the answer of S3 to a request that the policy of an endpoint does not let pass.
    pub(crate) fn refuse(
        &self,
        endpoint: &str,
        caller: Option<&Identity>,
        needs: &[Need],
        parts: &Parts,
    ) -> Option<http::Response<Body>> {
        let policies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = policies.get(endpoint).map_or(DEFAULT, String::as_str);
        // A text that is no policy allows nothing.
        let policy = serde_json::from_str(text).unwrap_or_default();
        needs.iter().find_map(|need| {
            let why = reason(&policy, caller, need, parts)?;
            Some(refusal(caller, need, &why))
        })
    }
}

/// Returns why a policy refuses a request, in the words of AWS (IAM User Guide, "Troubleshoot access denied error messages").
fn reason(policy: &Value, caller: Option<&Identity>, need: &Need, parts: &Parts) -> Option<String> {
    let applies = |effect: &str| {
        Statement::all(policy).any(|statement| {
            let is_allow = effect == "Allow";
            statement.has_effect(effect)
                && is_named(statement.principal(), caller)
                && statement.concerns(need)
                && conditions_hold(statement.condition(), caller, need, parts, !is_allow)
        })
    };
    if applies("Deny") {
        return Some("with an explicit deny in a VPC endpoint policy".to_owned());
    }
    let action = &need.action;
    (!applies("Allow")).then(|| format!("because no VPC endpoint policy allows the {action} action"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use http::Request;
    use http_body_util::BodyExt as _;
    use serde_json::json;

    use super::*;

    const ROLE: &str = "arn:aws:sts::111111111111:assumed-role/Delegate/f";

    fn said(statements: &Value) -> Option<String> {
        let (parts, ()) = Request::get("/scratch/jobs/x").body(()).unwrap().into_parts();
        let need = Need {
            action: "s3:GetObject".to_owned(),
            resource: "arn:aws:s3:::scratch/jobs/x".to_owned(),
            conditions: Default::default(),
        };
        let caller = Identity { arn: ROLE.to_owned() };
        reason(&json!({"Statement": statements}), Some(&caller), &need, &parts)
    }

    #[test]
    fn a_policy_lets_pass_what_aws_would_let_pass() {
        let none = Some("because no VPC endpoint policy allows the s3:GetObject action");
        let deny = Some("with an explicit deny in a VPC endpoint policy");
        let all = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
        let allow = |more: Value| {
            let mut statement = all.clone();
            for (key, value) in more.as_object().unwrap() {
                statement[key] = value.clone();
            }
            json!([statement])
        };
        let when =
            |operator: &str, key: &str, value: &str| allow(json!({"Condition": {operator: {key: value}}}));
        let mut denied = all.clone();
        denied["Effect"] = "Deny".into();
        denied["Action"] = "s3:Get*".into();
        for (statements, expected) in [
            (json!([]), none),
            (json!([all]), None),
            (json!(all), None),
            (json!([all, denied]), deny),
            (allow(json!({"Action": ["s3:PutObject", "s3:ListBucket"]})), none),
            (allow(json!({"Action": ["S3:getobject"]})), None),
            (allow(json!({"Resource": "arn:aws:s3:::scratch/*"})), None),
            (allow(json!({"Resource": "arn:aws:s3:::scratch"})), none),
            (allow(json!({"Action": null, "NotAction": "s3:Put*"})), None),
            (
                allow(json!({"Resource": null, "NotResource": "arn:aws:s3:::scratch/*"})),
                none,
            ),
            (allow(json!({"Principal": {"AWS": "111111111111"}})), None),
            (
                allow(json!({"Principal": {"AWS": ["arn:aws:iam::111111111111:root"]}})),
                None,
            ),
            (
                allow(json!({"Principal": {"AWS": "arn:aws:iam::111111111111:role/Delegate"}})),
                None,
            ),
            (
                allow(json!({"Principal": {"AWS": "arn:aws:iam::111111111111:role/Other"}})),
                none,
            ),
            (when("StringEquals", "aws:PrincipalAccount", "111111111111"), None),
            (when("StringEquals", "aws:PrincipalAccount", "222222222222"), none),
            (when("StringEquals", "s3:ResourceAccount", "111111111111"), None),
            (
                when("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/Del*"),
                None,
            ),
            // What is not known here is not allowed.
            (when("IpAddress", "aws:SourceIp", "192.0.2.0/24"), none),
        ] {
            assert_eq!(said(&statements).as_deref(), expected, "{statements}");
        }
    }

    #[tokio::test]
    async fn an_endpoint_has_the_policy_that_it_was_given_last() {
        let policies = EndpointPolicies::default();
        let (parts, ()) = Request::get("/b/k").body(()).unwrap().into_parts();
        let need = Need {
            action: "s3:GetObject".to_owned(),
            resource: "arn:aws:s3:::b/k".to_owned(),
            conditions: Default::default(),
        };
        let refused = |endpoint: &str| policies.refuse(endpoint, None, std::slice::from_ref(&need), &parts);
        let answer = "<R><vpcEndpoint><vpcEndpointId>vpce-1</vpcEndpointId></vpcEndpoint></R>";
        let created = policies.correct("ec2:CreateVpcEndpoint", "", answer).unwrap();
        assert!(created.contains("<policyDocument>{\"Version\""), "{created}");
        assert!(refused("vpce-1").is_none() && refused("vpce-2").is_none());
        let change = "VpcEndpointId=vpce-1&PolicyDocument=%7B%22Statement%22%3A%5B%5D%7D";
        assert_eq!(policies.correct("ec2:ModifyVpcEndpoint", change, "<R/>"), None);
        let shown = policies.correct("ec2:DescribeVpcEndpoints", "", answer).unwrap();
        assert!(
            shown.contains("<policyDocument>{\"Statement\":[]}</policyDocument>"),
            "{shown}"
        );
        let body = refused("vpce-1")
            .unwrap()
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            body.contains("on resource: \"arn:aws:s3:::b/k\" because no VPC endpoint policy allows the s3:GetObject action"),
            "{body}"
        );
        policies.correct(
            "ec2:ModifyVpcEndpoint",
            "VpcEndpointId=vpce-1&ResetPolicy=true",
            "<R/>",
        );
        assert!(refused("vpce-1").is_none());
    }
}
