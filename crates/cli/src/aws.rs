//! The options that select AWS credentials, and the prompt for the code of an MFA device.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;

use async_trait::async_trait;
use clap::Args;
use lifeboat_aws::session::Session;
use lifeboat_capture::infrastructure::DescribeResources;
use lifeboat_describe::{Wanted, describe};
use lifeboat_infrastructure::description::Missing;
use lifeboat_infrastructure::{Descriptions, Mentions};
use lifeboat_model::{AccountId, EnvironmentId, Region};

use crate::failure::Failure;

/// The credentials and the Region, selected as the AWS CLI selects them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "AWS")]
pub struct AwsArguments {
    /// The profile of ~/.aws/config; defaults to AWS_PROFILE, keys of the environment, or the default profile
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The Region; defaults to AWS_REGION, then to that of the profile
    #[arg(long, value_name = "REGION")]
    pub region: Option<Region>,
    /// The account that the credentials must belong to; defaults to any
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,
}

impl AwsArguments {
    /// Finds credentials and reads from STS whose they are.
    ///
    /// # Errors
    /// LB-1001 if there are none, LB-1002 if they belong to another account.
    pub async fn open(&self) -> Result<Session, Failure> {
        let session = open(self.profile.as_deref(), self.region.as_ref()).await?;
        if let Some(account) = &self.account {
            session.require(account)?;
        }
        Ok(session)
    }
}

/// Whether a recovery point describes the AWS resources that its cluster stands on.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "AWS")]
pub struct DescribeArguments {
    /// The name of the cluster in EKS. The point then describes the AWS resources that it stands on, for `lifeboat
    /// infrastructure`
    #[arg(long, value_name = "NAME")]
    pub eks_cluster: Option<String>,
    /// Of the primary account.
    #[command(flatten)]
    pub aws: AwsArguments,
}

impl DescribeArguments {
    /// Finds the credentials, if the resources are to be described.
    ///
    /// # Errors
    /// LB-1001 if there are none, LB-1002 if they belong to another account.
    pub async fn open(&self) -> Result<Option<(Resources, BTreeSet<String>)>, Failure> {
        let Some(cluster) = &self.eks_cluster else {
            return Ok(None);
        };
        let session = self.aws.open().await?;
        Ok(Some((Resources(session), BTreeSet::from([cluster.clone()]))))
    }
}

/// Describes AWS resources with the credentials of the user.
pub struct Resources(Session);

#[async_trait]
impl DescribeResources for Resources {
    fn environment(&self) -> &EnvironmentId {
        self.0.environment()
    }

    async fn describe(
        &self,
        clusters: BTreeSet<String>,
        mentions: Mentions,
    ) -> Result<Descriptions, Missing> {
        let account = self.0.environment().account.clone();
        let wanted = Wanted {
            account,
            clusters,
            mentions,
        };
        // Boxed: the futures of the SDK nest deeper than the compiler's limit.
        let found = Box::pin(describe(self.0.context(), &wanted)).await;
        found.map_err(|error| error.missing())
    }
}

/// Finds the credentials of a profile, or those of the environment.
///
/// # Errors
/// LB-1001 if there are none.
pub async fn open(profile: Option<&str>, region: Option<&Region>) -> Result<Session, Failure> {
    Ok(Session::open(profile, region, Arc::new(ask_mfa_code)).await?)
}

/// Prompts for the code of an MFA device on the terminal; `None` if there is no terminal.
fn ask_mfa_code(serial: &str) -> Option<String> {
    let (mut terminal, input) = (std::io::stderr(), std::io::stdin());
    if !terminal.is_terminal() || !input.is_terminal() {
        return None;
    }
    write!(terminal, "Enter MFA code for {serial}: ").ok()?;
    terminal.flush().ok()?;
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    let code = line.trim();
    (!code.is_empty()).then(|| code.to_owned())
}
