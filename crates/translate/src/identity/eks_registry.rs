//! The registries from which EKS publishes the images of its add-ons, one in each Region. The recovery side must not need
//! that of the primary Region.

/// The account of the registry in most Regions.
const ACCOUNT: &str = "602401143452";

/// The Regions with another account (<https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html>).
const OTHERS: &[(&str, &str)] = &[
    ("af-south-1", "877085696533"),
    ("ap-east-1", "800184023465"),
    ("ap-southeast-3", "296578399912"),
    ("ap-southeast-4", "491585149902"),
    ("ap-south-2", "900889452093"),
    ("ca-west-1", "761377655185"),
    ("cn-north-1", "918309763551"),
    ("cn-northwest-1", "961992271922"),
    ("eu-central-2", "900612956339"),
    ("eu-south-1", "590381155156"),
    ("eu-south-2", "455263428931"),
    ("il-central-1", "066635153087"),
    ("me-central-1", "759879836304"),
    ("me-south-1", "558608220178"),
    ("us-gov-east-1", "151742754352"),
    ("us-gov-west-1", "013241004608"),
];

/// Returns the account of EKS in `new`, if `account` is that in `old`.
pub(super) fn counterpart(account: &str, (old, new): (&str, &str)) -> Option<&'static str> {
    let of = |region: &str| {
        let other = OTHERS.iter().find(|(known, _)| *known == region);
        other.map_or(ACCOUNT, |(_, account)| account)
    };
    (account == of(old)).then(|| of(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_of_eks_have_a_counterpart_in_each_region() {
        for (account, old, new, expected) in [
            (ACCOUNT, "eu-west-1", "eu-central-1", Some(ACCOUNT)),
            (ACCOUNT, "eu-west-1", "eu-south-1", Some("590381155156")),
            ("590381155156", "eu-south-1", "eu-west-1", Some(ACCOUNT)),
            (ACCOUNT, "eu-south-1", "eu-west-1", None),
            ("333333333333", "eu-west-1", "eu-central-1", None),
        ] {
            assert_eq!(
                counterpart(account, (old, new)),
                expected,
                "{account} {old} {new}"
            );
        }
    }
}
