//! Maps access keys to callers. fakecloud does not expose this mapping: the gateway records the
//! keys in the responses that it forwards, and looks up the rest in IAM.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::upstream::Upstream;
use super::wire::{element, form};
use crate::aws::arn;

/// IAM has no Regions, but a signature contains one.
const GLOBAL: &str = "us-east-1";

/// The identity of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The ARN of the user or of the session.
    pub(crate) arn: String,
}

impl Identity {
    pub(crate) fn account(&self) -> &str {
        arn::account(&self.arn)
    }

    /// Returns the ARN of the user or role whose policies apply.
    pub(crate) fn policy_source(&self) -> String {
        arn::canonical(&self.arn).unwrap_or_else(|| self.arn.clone())
    }
}

/// The known keys and their identities.
#[derive(Default)]
pub(crate) struct Identities {
    known: Mutex<BTreeMap<String, Identity>>,
}

impl Identities {
    pub(crate) fn learn(&self, access_key_id: &str, arn: &str) {
        self.lock()
            .insert(access_key_id.to_owned(), Identity { arn: arn.to_owned() });
    }

    /// Returns the identity that these keys belong to, if any.
    pub(crate) async fn of(&self, upstream: &Upstream, access_key_id: &str) -> Option<Identity> {
        if let Some(known) = self.lock().get(access_key_id) {
            return Some(known.clone());
        }
        for account in upstream.accounts() {
            let ask = form(&[
                ("Action", "GetAccessKeyLastUsed"),
                ("Version", "2010-05-08"),
                ("AccessKeyId", access_key_id),
            ]);
            let answer = upstream
                .query_as_administrator(&account, "iam", GLOBAL, ask)
                .await
                .ok()?;
            if let Some(user) = element(&answer.text(), "UserName").filter(|_| answer.is_success()) {
                let arn = format!("arn:aws:iam::{account}:user/{user}");
                self.learn(access_key_id, &arn);
                return Some(Identity { arn });
            }
        }
        None
    }

    /// Records the keys in a response of STS or IAM. `caller` sent the request.
    pub(crate) fn learn_from(&self, action: &str, caller: Option<&Identity>, body: &str) {
        let arn = match action {
            "sts:AssumeRole" | "sts:AssumeRoleWithWebIdentity" | "sts:AssumeRoleWithSAML" => {
                // Other elements also contain an ARN.
                element(body, "AssumedRoleUser")
                    .and_then(|user| element(user, "Arn"))
                    .map(str::to_owned)
            }
            "sts:GetSessionToken" => caller.map(|caller| caller.arn.clone()),
            "iam:CreateAccessKey" => element(body, "UserName").and_then(|user| {
                let account = caller?.account();
                Some(format!("arn:aws:iam::{account}:user/{user}"))
            }),
            _ => None,
        };
        if let (Some(arn), Some(key)) = (arn, element(body, "AccessKeyId")) {
            self.learn(key, &arn);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Identity>> {
        self.known.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn keys_are_learned_from_the_answers_that_hand_them_out() {
        let identities = Identities::default();
        let answer = "<AssumeRoleResponse><Credentials><AccessKeyId>FSIA1</AccessKeyId></Credentials>\
            <AssumedRoleUser><Arn>arn:aws:sts::111111111111:assumed-role/R/s</Arn></AssumedRoleUser></AssumeRoleResponse>";
        identities.learn_from("sts:AssumeRole", None, answer);
        let learned = identities.lock().get("FSIA1").cloned().unwrap();
        assert_eq!(learned.policy_source(), "arn:aws:iam::111111111111:role/R");
        assert_eq!(learned.account(), "111111111111");

        let created = "<AccessKey><UserName>me</UserName><AccessKeyId>FKIA2</AccessKeyId></AccessKey>";
        identities.learn_from("iam:CreateAccessKey", Some(&learned), created);
        let learned = identities.lock().get("FKIA2").cloned().unwrap();
        assert_eq!(learned.arn, "arn:aws:iam::111111111111:user/me");

        identities.learn_from(
            "iam:ListAccessKeys",
            Some(&learned),
            "<AccessKeyId>FKIA3</AccessKeyId>",
        );
        assert!(identities.lock().get("FKIA3").is_none());
    }
}
