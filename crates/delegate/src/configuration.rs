//! The configuration of the function: environment variables set by the stack.

use lifeboat_aws::kms::verifying_keys;
use lifeboat_aws::variables::{ConfigurationError, Strings, wanted};
use lifeboat_format::VerifyingKey;
use lifeboat_model::environment::Side;
use lifeboat_model::{
    AccountId, ApplicationName, Arn, ClusterName, DelegateId, EnvironmentId, InvalidIdentifier, Region,
};

/// The configuration of a delegate.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The application.
    pub application: ApplicationName,
    /// The side of the application.
    pub side: Side,
    /// The environment in which the function runs.
    pub environment: EnvironmentId,
    /// The name in EKS of the cluster in whose VPC the function runs; in private delegates only.
    pub cluster: Option<ClusterName>,
    /// The name of the function.
    pub function: String,
    /// The ARN of the function's role, which clusters authenticate.
    pub role: Arn,
    /// The ARN of the signing key on the primary side, of the decryption key on the recovery side; none in private
    /// delegates, which cannot use KMS.
    pub key: Option<Arn>,
    /// The public keys of the coordinator, which signs assignments; several while its key is changed.
    pub coordinators: Vec<VerifyingKey>,
    /// The public recovery key, base64 of its DER; on the primary side only.
    pub recovery_public_key: Option<String>,
    /// Whether recovery points describe the AWS resources that the clusters stand on; on the primary side only.
    pub describe: bool,
    /// Whether restores may build what clusters stand on; on the recovery side only.
    pub rebuild: bool,
    /// The ARNs of the policies that the roles that are built may have as permissions boundary, the first as a default; on
    /// the recovery side only, where restores may build.
    pub boundaries: Vec<String>,
    /// The environment that contains the vault; on the recovery side only.
    pub vault: Option<EnvironmentId>,
    /// What private delegates are deployed with, if the function deploys them.
    pub private_delegates: Option<PrivateDelegatesConfiguration>,
}

/// What a public delegate deploys private ones with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateDelegatesConfiguration {
    /// The id of the stack of the function.
    pub stack: String,
    /// The ARN of the service role of CloudFormation.
    pub service_role: Arn,
}

impl Configuration {
    /// Reads the configuration. `AWS_REGION` and `AWS_LAMBDA_FUNCTION_NAME` are set by the Lambda service
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>), the others by the
    /// stack `application`.
    ///
    /// # Errors
    /// [`ConfigurationError`] names every variable that is missing or wrong.
    pub fn read(strings: &dyn Strings) -> Result<Self, ConfigurationError> {
        let mut problems = Vec::new();
        let application = wanted(
            strings,
            "LIFEBOAT_APPLICATION",
            &mut problems,
            ApplicationName::parse,
        );
        let side = wanted(strings, "LIFEBOAT_SIDE", &mut problems, |text| {
            match text.as_str() {
                "primary" => Ok(Side::Primary),
                "recovery" => Ok(Side::Recovery),
                other => Err(format!("{other:?} is neither primary nor recovery")),
            }
        });
        let account = wanted(strings, "LIFEBOAT_ACCOUNT", &mut problems, AccountId::parse);
        let region = wanted(strings, "AWS_REGION", &mut problems, Region::parse);
        let function = wanted(strings, "AWS_LAMBDA_FUNCTION_NAME", &mut problems, |text| {
            Ok::<_, InvalidIdentifier>(text)
        });
        let role = wanted(strings, "LIFEBOAT_ROLE", &mut problems, Arn::parse);
        let is_public = strings.get("LIFEBOAT_CLUSTER").is_none();
        let cluster = match is_public {
            true => None,
            false => wanted(strings, "LIFEBOAT_CLUSTER", &mut problems, ClusterName::parse),
        };
        let key = match is_public {
            true => wanted(strings, "LIFEBOAT_KEY", &mut problems, Arn::parse),
            false => None,
        };
        let coordinators = wanted(
            strings,
            "LIFEBOAT_COORDINATOR_PUBLIC_KEY",
            &mut problems,
            |text| verifying_keys(&text),
        );
        let primary = side == Some(Side::Primary);
        let recovery_public_key = match primary {
            true => wanted(strings, "LIFEBOAT_RECOVERY_PUBLIC_KEY", &mut problems, |text| {
                Ok::<_, InvalidIdentifier>(text)
            }),
            false => None,
        };
        let describe = match primary && is_public {
            true => wanted(strings, "LIFEBOAT_DESCRIBE", &mut problems, switch),
            false => None,
        };
        let rebuild = match side {
            Some(Side::Recovery) if is_public => wanted(strings, "LIFEBOAT_REBUILD", &mut problems, switch),
            _ => None,
        };
        let boundaries = match rebuild {
            Some(true) => wanted(
                strings,
                "LIFEBOAT_BUILT_ROLES_BOUNDARIES",
                &mut problems,
                |text| Ok::<_, InvalidIdentifier>(text.split(',').map(str::to_owned).collect()),
            ),
            _ => None,
        };
        let vault = match side {
            Some(Side::Recovery) => wanted(strings, "LIFEBOAT_VAULT", &mut problems, place),
            _ => None,
        };
        let private_delegates = match is_public && strings.get("LIFEBOAT_PRIVATE_DELEGATES_ROLE").is_some() {
            true => private_delegates(strings, &mut problems),
            false => None,
        };
        match (application, side, account, region, function, role, coordinators) {
            (
                Some(application),
                Some(side),
                Some(account),
                Some(region),
                Some(function),
                Some(role),
                Some(coordinators),
            ) if problems.is_empty() => Ok(Self {
                application,
                side,
                environment: EnvironmentId { account, region },
                cluster,
                function,
                role,
                key,
                coordinators,
                recovery_public_key,
                describe: describe.unwrap_or_default(),
                rebuild: rebuild.unwrap_or_default(),
                boundaries: boundaries.unwrap_or_default(),
                vault,
                private_delegates,
            }),
            _ => Err(ConfigurationError { problems }),
        }
    }
}

impl Configuration {
    /// Returns the id of the delegate.
    #[must_use]
    pub fn id(&self) -> DelegateId {
        DelegateId::of(&self.application, self.cluster.as_ref())
    }
}

fn private_delegates(
    strings: &dyn Strings,
    problems: &mut Vec<String>,
) -> Option<PrivateDelegatesConfiguration> {
    let stack = wanted(strings, "LIFEBOAT_STACK", problems, |text| {
        Ok::<_, InvalidIdentifier>(text)
    });
    let service_role = wanted(strings, "LIFEBOAT_PRIVATE_DELEGATES_ROLE", problems, Arn::parse);
    Some(PrivateDelegatesConfiguration {
        stack: stack?,
        service_role: service_role?,
    })
}

/// Parses a parameter of the stack that is on or off.
fn switch(text: String) -> Result<bool, String> {
    match text.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(format!("{other:?} is neither true nor false")),
    }
}

/// Parses `<account>/<region>`, as CloudFormation joins the imported values.
fn place(text: String) -> Result<EnvironmentId, String> {
    let (account, region) = text
        .split_once('/')
        .ok_or_else(|| format!("{text:?} is not of the form <account>/<region>"))?;
    let account = AccountId::parse(account).map_err(|e| e.to_string())?;
    let region = Region::parse(region).map_err(|e| e.to_string())?;
    Ok(EnvironmentId { account, region })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;

    use super::*;

    fn strings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    /// The public key of the fixtures' signing key, as `aws kms get-public-key` prints it.
    const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvXY7ew2fCzWPfjwJfxOp4vhgaUNLXwdlt0dzF9Xa2o0EwP/Q0pFLnmHZLeIZn2MyGq2at3sSGziMnaE+/ujUFA==";

    const COMMON: [(&str, &str); 7] = [
        ("LIFEBOAT_COORDINATOR_PUBLIC_KEY", KEY),
        ("LIFEBOAT_APPLICATION", "shop"),
        ("LIFEBOAT_ACCOUNT", "111111111111"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "lifeboat-shop-primary"),
        (
            "LIFEBOAT_ROLE",
            "arn:aws:iam::111111111111:role/LifeboatPrimaryK8sDel-shop-eu-west-1",
        ),
        ("LIFEBOAT_KEY", "arn:aws:kms:eu-west-1:111111111111:key/1"),
    ];

    #[test]
    fn each_side_has_what_it_needs() {
        let mut primary = strings(&COMMON);
        primary.extend(strings(&[
            ("LIFEBOAT_SIDE", "primary"),
            ("LIFEBOAT_RECOVERY_PUBLIC_KEY", "MIIC"),
            ("LIFEBOAT_DESCRIBE", "true"),
        ]));
        let read = Configuration::read(&primary).unwrap();
        assert_eq!(read.environment.to_string(), "111111111111-eu-west-1");
        assert_eq!(read.recovery_public_key.as_deref(), Some("MIIC"));
        assert!(read.describe);
        assert_eq!(read.vault, None);
        assert_eq!(read.coordinators.len(), 1);

        let mut recovery = strings(&COMMON);
        recovery.extend(strings(&[
            ("LIFEBOAT_SIDE", "recovery"),
            ("LIFEBOAT_VAULT", "222222222222/eu-central-1"),
            ("LIFEBOAT_REBUILD", "false"),
        ]));
        let read = Configuration::read(&recovery).unwrap();
        assert!(!read.rebuild && !read.describe);
        assert!(read.boundaries.is_empty());
        assert_eq!(read.vault.unwrap().to_string(), "222222222222-eu-central-1");
    }

    #[test]
    fn a_private_delegate_has_a_cluster_and_no_key_of_kms() {
        let mut private = strings(&COMMON);
        private.remove("LIFEBOAT_KEY");
        private.extend(strings(&[
            ("LIFEBOAT_SIDE", "primary"),
            ("LIFEBOAT_CLUSTER", "Orders_1"),
            ("LIFEBOAT_RECOVERY_PUBLIC_KEY", "MIIC"),
        ]));
        let read = Configuration::read(&private).unwrap();
        assert_eq!(read.id().as_str(), "shop.Orders_1");
        assert!(read.key.is_none() && !read.describe);

        private.extend(strings(&[("LIFEBOAT_CLUSTER", "-")]));
        let problems = Configuration::read(&private).unwrap_err().problems;
        assert!(problems[0].starts_with("LIFEBOAT_CLUSTER: "), "{problems:?}");
    }

    #[test]
    fn a_delegate_that_deploys_private_ones_knows_its_stack() {
        let mut primary = strings(&COMMON);
        primary.extend(strings(&[
            ("LIFEBOAT_SIDE", "primary"),
            ("LIFEBOAT_RECOVERY_PUBLIC_KEY", "MIIC"),
            ("LIFEBOAT_DESCRIBE", "true"),
        ]));
        assert_eq!(Configuration::read(&primary).unwrap().private_delegates, None);
        let role = "arn:aws:iam::111111111111:role/LifeboatPrimaryStacks-shop-eu-west-1";
        primary.extend(strings(&[("LIFEBOAT_PRIVATE_DELEGATES_ROLE", role)]));
        let problems = Configuration::read(&primary).unwrap_err().problems;
        assert_eq!(problems, ["LIFEBOAT_STACK is not set"]);
        primary.extend(strings(&[(
            "LIFEBOAT_STACK",
            "arn:aws:cloudformation:eu-west-1:111111111111:stack/s/1",
        )]));
        let read = Configuration::read(&primary).unwrap().private_delegates.unwrap();
        assert_eq!(read.service_role.as_str(), role);
    }

    #[test]
    fn a_delegate_that_builds_knows_the_boundaries_of_roles() {
        let mut recovery = strings(&COMMON);
        recovery.extend(strings(&[
            ("LIFEBOAT_SIDE", "recovery"),
            ("LIFEBOAT_VAULT", "222222222222/eu-central-1"),
            ("LIFEBOAT_REBUILD", "true"),
        ]));
        let problems = Configuration::read(&recovery).unwrap_err().problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        let policies = "arn:aws:iam::222222222222:policy/a,arn:aws:iam::aws:policy/PowerUserAccess";
        recovery.extend(strings(&[("LIFEBOAT_BUILT_ROLES_BOUNDARIES", policies)]));
        let read = Configuration::read(&recovery).unwrap();
        assert_eq!(read.boundaries.join(","), policies);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = strings(&[
            ("LIFEBOAT_SIDE", "primary"),
            ("LIFEBOAT_APPLICATION", "Shop!"),
            ("AWS_REGION", ""),
        ]);
        let problems = Configuration::read(&wrong).unwrap_err().problems;
        for name in [
            "LIFEBOAT_APPLICATION: ",
            "LIFEBOAT_ACCOUNT is not set",
            "AWS_REGION is not set",
            "AWS_LAMBDA_FUNCTION_NAME is not set",
            "LIFEBOAT_KEY is not set",
            "LIFEBOAT_RECOVERY_PUBLIC_KEY is not set",
            "LIFEBOAT_DESCRIBE is not set",
            "LIFEBOAT_COORDINATOR_PUBLIC_KEY is not set",
        ] {
            assert!(
                problems.iter().any(|p| p.starts_with(name)),
                "{name}: {problems:?}"
            );
        }
    }
}
