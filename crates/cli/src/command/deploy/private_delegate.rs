//! `lifeboat deploy private-delegate`: deploys the delegate of a cluster that is reached from its VPC only.

use clap::Args;
use lifeboat_aws::{ClusterAddress, EksClusters};
use lifeboat_deploy::Stack;
use lifeboat_deploy::private_delegate::{Package, PrivateDelegate};
use lifeboat_deploy::template::APPLICATION;
use lifeboat_describe::PrivateFunction;
use lifeboat_jobs::{ClusterEndpoint, PrivateEndpoint};
use lifeboat_model::{ApplicationName, ClusterName, Code, Diagnostic as _, Problem, Side};

use super::application::SideSelection;
use super::package::PackageArguments;
use super::{DeployDocument, Deployer, change_set};
use crate::aws::AwsArguments;
use crate::context::Context;
use crate::failure::Failure;

const AFTER: &str = "Example:
  lifeboat deploy private-delegate shop --cluster orders --profile primary --region eu-west-1

  For a cluster whose API server has no public endpoint, in the primary account, or with
  --side recovery in the recovery account. The public delegate does the same by itself, unless
  the stack of the application has PrivateDelegates=false.

  Reads the subnets and the security group of the cluster from EKS, and deploys a stack with a
  function that is attached to them. There, the function needs the API server and Amazon S3, by
  a gateway endpoint, an interface endpoint or a NAT gateway, and nothing else.

  Then asks the function what it reaches, reads the VPC, and warns of what keeps the function
  from Amazon S3 and the API server, each with the command that changes it: DNS, routes,
  endpoints and policies, security groups, network ACLs, proxies, free addresses.

  Unless access entries have no effect in the cluster, the stack creates the one that lets the
  function read all objects, or restore them. Path and permissions boundary of the role,
  encryption key, alarm topic, retention of logs and memory are those of the stack of the
  application.

Exit codes: 0 deployed, 2 the packages are missing, 6 the cluster has no private endpoint, 12
AWS refused the request, or a stack failed";

/// Options of `lifeboat deploy private-delegate`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The name of the application
    #[arg(value_name = "APPLICATION")]
    pub application: ApplicationName,
    /// Who deploys, and where.
    #[command(flatten)]
    pub aws: AwsArguments,
    /// What is deployed.
    #[command(flatten)]
    pub package: PackageArguments,
    /// The name of the cluster in EKS
    #[arg(long, value_name = "NAME", help_heading = "Stacks")]
    pub cluster: ClusterName,
    /// The side of the application: primary or recovery
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "SIDE",
        default_value = "primary",
        help_heading = "Stacks"
    )]
    pub side: SideSelection,
    /// The name of the cluster in the application document, if it is another one
    #[arg(long, value_name = "NAME", help_heading = "Stacks")]
    pub name_in_application: Option<ClusterName>,
}

pub(super) async fn make(arguments: &Arguments, context: &Context) -> Result<DeployDocument, Failure> {
    let zip = arguments.package.read("lifeboat-delegate")?;
    let session = arguments.aws.open().await?;
    let deployer = Deployer::new(&session, context);
    let (application, cluster) = (&arguments.application, &arguments.cluster);
    let side = match arguments.side {
        SideSelection::Primary => Side::Primary,
        SideSelection::Recovery => Side::Recovery,
    };
    let of_application = application_stack(&deployer, application, side).await?;
    let described = EksClusters::new(session.context())
        .describe(cluster.as_str())
        .await
        .map_err(|error| error.problem())?;
    let (subnets, security_group) = network(&described)?;
    let delegate = PrivateDelegate {
        application,
        side,
        cluster,
        name_in_application: arguments.name_in_application.as_ref(),
        subnets,
        security_group,
        grants_access: described.authentication.has_access_entries(),
    };
    let existing = deployer.existing(&delegate.stack()).await?;
    let (bucket, keys) = deployer.upload(&[&zip]).await?;
    let package = Package {
        bucket,
        key: keys.concat(),
        architecture: arguments.package.architecture.name().to_owned(),
    };
    let environment = session.environment();
    let wanted = delegate.spec(
        &of_application,
        existing.as_ref(),
        package,
        environment,
        change_set(),
    )?;
    let mut deployed = Vec::new();
    deployer.deploy_stack(&wanted, &mut deployed).await?;
    let next = format!("lifeboat status {application} --profile RECOVERY_PROFILE");
    let function = PrivateFunction {
        application,
        side,
        cluster,
        role_path: of_application
            .parameters
            .get("RolePath")
            .map_or("/", String::as_str),
    };
    Ok(DeployDocument {
        warnings: obstacles(&deployer, function, &described).await,
        ..DeployDocument::new(deployed, next)
    })
}

/// Returns what keeps the function from what it needs, as far as EC2 and the function itself tell. A failed look fails nothing:
/// the function is deployed.
async fn obstacles(
    deployer: &Deployer<'_>,
    function: PrivateFunction<'_>,
    cluster: &ClusterAddress,
) -> Vec<Problem> {
    let (Some(vpc), Some(group)) = (&cluster.vpc, &cluster.security_group) else {
        return Vec::new();
    };
    let (context, environment) = (deployer.session.context(), deployer.session.environment());
    let known = cluster.endpoint.as_ref();
    let endpoint = PrivateEndpoint {
        endpoint: ClusterEndpoint {
            url: known.map(|endpoint| endpoint.url.clone()).unwrap_or_default(),
            ca: known.map(|endpoint| endpoint.ca_pem.clone()).unwrap_or_default(),
            access_entries: cluster.authentication.has_access_entries(),
        },
        vpc: vpc.clone(),
        subnets: cluster.subnets.clone(),
        security_group: group.clone(),
    };
    let look = Box::pin(function.look(context, environment, &endpoint)).await;
    for unseen in &look.unseen {
        let note = format!("a part of the network is not checked: {unseen}");
        deployer.context.progress.note(note);
    }
    let causes = look.causes();
    causes.iter().map(|cause| cause.problem(environment)).collect()
}

/// Returns the stack of the application, without which nothing seals what a private delegate captures, and nothing wraps the
/// data keys for one that restores.
async fn application_stack(
    deployer: &Deployer<'_>,
    application: &ApplicationName,
    side: Side,
) -> Result<Stack, Failure> {
    let name = APPLICATION.stack_of(application);
    let found = deployer.existing(&name).await?;
    let is_of_side = |stack: &Stack| {
        stack
            .parameters
            .get("Side")
            .is_some_and(|of| *of == side.to_string())
    };
    found.filter(is_of_side).ok_or_else(|| {
        Failure::new(
            Code::RequiredStackMissing,
            format!(
                "the stack {name} of the {side} side is not deployed in {}",
                deployer.session.environment()
            ),
        )
        .remedy("run `lifeboat deploy application` first, or use a profile and a Region of that side")
    })
}

/// Returns the subnets and the security group of a cluster, in which its delegate runs.
///
/// # Errors
/// If the cluster has no private endpoint, or if EKS has not finished its network.
fn network(cluster: &ClusterAddress) -> Result<(&[String], &str), Failure> {
    if !cluster.endpoint_private {
        return Err(Failure::new(
            Code::ClusterUnreachable,
            format!("the cluster {} has no private endpoint", cluster.name),
        )
        .remedy("a cluster with a public endpoint needs no private delegate"));
    }
    match &cluster.security_group {
        Some(group) if !cluster.subnets.is_empty() => Ok((&cluster.subnets, group)),
        _ => Err(Failure::new(
            Code::ClusterNotActive,
            format!(
                "the cluster {} has no subnets and no security group yet",
                cluster.name
            ),
        )
        .remedy("wait until the cluster is ACTIVE, and run the same command again")),
    }
}
