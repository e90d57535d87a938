//! The ARNs in texts of objects, by the resource that they name.

use lifeboat_model::Arn;

/// A resource that objects name by its ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// A certificate of ACM.
    Certificate,
    /// A target group of a load balancer.
    TargetGroup,
    /// A web ACL of AWS WAF.
    WebAcl,
    /// A secret of Secrets Manager, or a parameter of Systems Manager.
    Secret,
}

impl Named {
    /// Returns what an ARN names. `None` if it is nothing that mentions are kept of.
    ///
    /// The forms are those of the Service Authorization Reference, "Resource types" of each service.
    pub(super) fn of(arn: &str) -> Option<Self> {
        let arn = Arn::parse(arn).ok()?;
        if arn.account().is_none() || arn.region().is_none() {
            return None;
        }
        let (first, rest) = arn.resource().split_once(['/', ':'])?;
        let parts = rest.split('/').filter(|part| !part.is_empty()).count();
        match (arn.service(), first) {
            ("acm", "certificate") if parts == 1 => Some(Self::Certificate),
            ("elasticloadbalancing", "targetgroup") if parts == 2 => Some(Self::TargetGroup),
            // Those of the scope CLOUDFRONT are global; a load balancer has a regional one.
            ("wafv2", "regional") if rest.starts_with("webacl/") && parts == 3 => Some(Self::WebAcl),
            ("secretsmanager", "secret") | ("ssm", "parameter") if parts > 0 => Some(Self::Secret),
            _ => None,
        }
    }
}

/// Returns the ARNs in a text: a list with commas, an argument, JSON in an annotation.
pub(super) fn arns(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ":/_.+=@*-".contains(c);
    let words = text.split(move |c: char| !is_part(c));
    words.filter_map(|word| {
        let begin = word.find("arn:aws")?;
        let before = word[..begin].chars().next_back();
        let is_whole = before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        is_whole.then(|| word[begin..].trim_end_matches(['.', ':', '/']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_whole_words() {
        let arn = "arn:aws:acm:eu-west-1:111111111111:certificate/a";
        for text in [
            arn.to_owned(),
            format!("x, {arn}"),
            format!("--certificate={arn}"),
            format!(r#"{{"certificateArn":"{arn}"}}"#),
            format!("see {arn}."),
        ] {
            assert_eq!(arns(&text).collect::<Vec<_>>(), [arn], "{text}");
        }
        assert_eq!(arns(&format!("{arn},{arn}")).count(), 2);
        assert_eq!(
            arns("barn:aws:acm:eu-west-1:111111111111:certificate/a").count(),
            0
        );
    }

    #[test]
    fn an_arn_tells_what_it_names() {
        for (arn, named) in [
            (
                "arn:aws:acm:eu-west-1:111111111111:certificate/a",
                Some(Named::Certificate),
            ),
            ("arn:aws:acm:eu-west-1:111111111111:certificate/", None),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/cart/0123456789abcdef",
                Some(Named::TargetGroup),
            ),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/app/cart/0123456789abcdef",
                None,
            ),
            (
                "arn:aws-us-gov:wafv2:us-gov-west-1:111111111111:regional/webacl/shop/1",
                Some(Named::WebAcl),
            ),
            ("arn:aws:wafv2:us-east-1:111111111111:global/webacl/shop/1", None),
            (
                "arn:aws:secretsmanager:eu-west-1:111111111111:secret:shop/db-AbCdEf",
                Some(Named::Secret),
            ),
            (
                "arn:aws:ssm:eu-west-1:111111111111:parameter/shop/db",
                Some(Named::Secret),
            ),
            ("arn:aws:iam::111111111111:role/cart", None),
            ("arn:aws:s3:::shop", None),
            ("arn:aws:acm", None),
        ] {
            assert_eq!(Named::of(arn), named, "{arn}");
        }
    }
}
