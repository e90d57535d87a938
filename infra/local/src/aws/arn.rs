//! ARNs of callers, in the forms of IAM, STS and the authenticator of EKS.

/// The parts of an ARN that are read here. This crate must not use the product's own type, because
/// it tests the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub(crate) partition: &'a str,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (Some("arn"), Some(partition), Some(service), Some(region), Some(account), Some(resource)) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return None;
        };
        Some(Self {
            partition,
            service,
            region,
            account,
            resource,
        })
    }
}

/// Returns the ARN by which aws-iam-authenticator looks a caller up (`arn.Canonicalize`): the
/// role's ARN for a session, without the role's path, which the session's ARN does not contain.
/// Returns nothing for callers that aws-iam-authenticator does not support, such as services.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let arn = Arn::parse(text)?;
    let kind = arn.resource.split(['/', ':']).next()?;
    match (arn.service, kind) {
        ("sts", "assumed-role") => {
            let role = arn.resource.split('/').nth(1)?;
            Some(format!("arn:{}:iam::{}:role/{role}", arn.partition, arn.account))
        }
        ("sts", "federated-user") | ("iam", "role" | "user" | "root") => Some(text.to_owned()),
        _ => None,
    }
}

/// Returns the session name from the ARN of a session; empty for any other ARN.
pub(crate) fn session_name(text: &str) -> &str {
    Arn::parse(text)
        .filter(|arn| arn.service == "sts" && arn.resource.starts_with("assumed-role/"))
        .and_then(|arn| arn.resource.splitn(3, '/').nth(2))
        .unwrap_or_default()
}

/// Returns the ARN of a role or user without its path. Their names are unique in an account, and
/// the ARN of a session contains the role without its path.
pub(crate) fn without_path(text: &str) -> String {
    let (Some(first), Some(last)) = (text.find('/'), text.rfind('/')) else {
        return text.to_owned();
    };
    format!("{}{}", &text[..first], &text[last..])
}

/// Returns the account of an ARN.
pub(crate) fn account(text: &str) -> &str {
    Arn::parse(text).map_or("", |arn| arn.account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_become_what_the_authenticator_looks_up() {
        for (caller, expected) in [
            (
                "arn:aws:sts::111111111111:assumed-role/Admin/me@example.com",
                Some("arn:aws:iam::111111111111:role/Admin"),
            ),
            (
                "arn:aws:iam::111111111111:role/team/Admin",
                Some("arn:aws:iam::111111111111:role/team/Admin"),
            ),
            (
                "arn:aws:iam::111111111111:user/me",
                Some("arn:aws:iam::111111111111:user/me"),
            ),
            (
                "arn:aws:iam::111111111111:root",
                Some("arn:aws:iam::111111111111:root"),
            ),
            ("arn:aws:s3:::bucket", None),
            ("arn:aws:iam::111111111111:group/x", None),
            ("nonsense", None),
        ] {
            assert_eq!(canonical(caller).as_deref(), expected, "{caller}");
        }
    }

    #[test]
    fn paths_and_sessions_are_told_from_names() {
        assert_eq!(
            without_path("arn:aws:iam::111111111111:role/a/b/Name"),
            "arn:aws:iam::111111111111:role/Name"
        );
        assert_eq!(
            session_name("arn:aws:sts::111111111111:assumed-role/Admin/me"),
            "me"
        );
        assert_eq!(session_name("arn:aws:iam::111111111111:user/me"), "");
    }
}
