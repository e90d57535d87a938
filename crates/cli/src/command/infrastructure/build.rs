//! `lifeboat infrastructure plan`, `deploy` and `teardown`: the recovery stacks of an application.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lifeboat_aws::session::Session;
use lifeboat_deploy::recovery::{PlannedStack, Recovery, take_down};
use lifeboat_deploy::template::APPLICATION;
use lifeboat_deploy::{CloudFormation, Stacks as _};
use lifeboat_infrastructure::{Adoption, Cost, Descriptions, Finding, Mode, Prices, RecoveryFacts, Severity};
use lifeboat_model::{ApplicationName, Arn, BuiltStack, Code, EnvironmentId, Exit, SharedStack};
use lifeboat_translate::IdentityMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::AwsArguments;
use crate::command::deploy::change_set;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Document;

use super::replace;

pub(in crate::command) mod cost;
mod differences;

/// The output of the application's stack in the recovery environment that holds the permissions boundaries of roles.
const BOUNDARIES: &str = "BuiltRolesBoundaries";

const AFTER_PLAN: &str = "Example:
  lifeboat infrastructure plan shop --descriptions shop.aws.json --profile recovery

  Shows, stack by stack, what `lifeboat infrastructure deploy` would create, change and remove
  in the account of the credentials, and what cannot be built as it was in the primary. Change
  sets are created to find the differences, and deleted. Below a resource stands where it
  differs from the one of the primary; --output json has all of it.

  The cost is that of the list prices of AWS that come with this version, without taxes and
  discounts. They change: --prices replaces or extends them (`lifeboat schema prices`).

Exit codes: 0 it can be deployed, 10 something cannot be built, 12 AWS refused the request";

const AFTER_DEPLOY: &str = "Example:
  lifeboat infrastructure deploy shop --descriptions shop.aws.json --profile recovery \\
      --identities-out shop.identities.json

  Deploys the stacks lifeboat-shop-network, -identity, -storage and one per cluster. If a
  resource fails, what was built is kept, and the same command continues. Only what carries the
  tag lifeboat.dev/application=shop is changed. The identity map is for `lifeboat restore
  --identities`.

Exit codes: 0 deployed, 10 something cannot be built and nothing was changed, 12 AWS refused
the request, or a stack failed";

const AFTER_TEARDOWN: &str = "Example:
  lifeboat infrastructure teardown shop --descriptions shop.aws.json --confirm shop
  lifeboat infrastructure teardown shop --all --confirm shop

  Without --all the clusters are deleted, and the other stacks keep what costs nothing. File
  systems, keys and repositories with images are never deleted.

Exit codes: 0 done, 2 the confirmation is another name, 12 AWS refused the request, or a stack
failed";

/// What the stacks hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeArgument {
    /// What costs nothing while nobody uses it: networks, roles, repositories, file systems
    Standby,
    /// Everything, with clusters and nodes
    Active,
}

impl From<ModeArgument> for Mode {
    fn from(mode: ModeArgument) -> Self {
        match mode {
            ModeArgument::Standby => Self::Standby,
            ModeArgument::Active => Self::Active,
        }
    }
}

/// What is used instead of being built.
#[derive(Debug, Args)]
pub struct AdoptArguments {
    /// Use a resource of the recovery account instead of building one: ids of EC2 and EFS, ARNs, names of zones and of SSH
    /// key pairs; may be repeated
    #[arg(long, value_name = "PRIMARY=RECOVERY", value_parser = adoption, help_heading = "Stacks")]
    pub adopt: Vec<Adoption>,
    /// Use what exists in the recovery account for a stack, and build only what is not found there: network, identity or
    /// storage; may be repeated. A resource is found by its tags, else by its name, else by its IPv4 range
    #[arg(long, value_name = "STACK", value_delimiter = ',', help_heading = "Stacks")]
    pub adopt_existing: Vec<SharedStack>,
    /// The key of a tag by which resources are found; may be repeated. Without it all tags of the resource of the primary
    #[arg(
        long,
        value_name = "KEY",
        requires = "adopt_existing",
        help_heading = "Stacks"
    )]
    pub adopt_tag: Vec<String>,
}

/// What is built, and how.
#[derive(Debug, Args)]
pub struct Wanted {
    /// The name of the application
    pub application: ApplicationName,
    /// The descriptions of the AWS resources of the primary (`lifeboat infrastructure describe`)
    #[arg(long, value_name = "FILE")]
    pub descriptions: PathBuf,
    /// What the stacks hold
    #[arg(long, value_enum, default_value_t = ModeArgument::Active)]
    pub mode: ModeArgument,
    /// What is used instead of being built.
    #[command(flatten)]
    pub adopted: AdoptArguments,
    /// Give a cluster another name; may be repeated
    #[arg(long, value_name = "CLUSTER=NAME", value_parser = pair, help_heading = "Stacks")]
    pub cluster_name: Vec<(String, String)>,
    /// The role or user that restores, which is let into each cluster; defaults to that of the credentials
    #[arg(long, value_name = "ARN", help_heading = "Stacks")]
    pub restorer: Option<Arn>,
    /// The ARN of a policy that the roles may have as permissions boundary; may be repeated. The first is that of roles
    /// that have none in the primary environment
    #[arg(long, value_name = "ARN", value_parser = policy, help_heading = "Stacks")]
    pub permissions_boundary: Vec<String>,
    /// Create the add-ons of EKS as add-ons, instead of restoring their objects
    #[arg(long, help_heading = "Stacks")]
    pub managed_addons: bool,
    /// Give service accounts their roles by EKS Pod Identity instead of IRSA, where the trust policy of the role names
    /// the service account
    #[arg(long, help_heading = "Stacks")]
    pub irsa_to_pod_identity: bool,
    /// Give a cluster the nearest Kubernetes version that EKS offers, if EKS no longer offers its own
    #[arg(long, help_heading = "Stacks")]
    pub allow_nearest_version: bool,
    /// Create clusters without nodes. Nodes become ready once the objects of the network plugin are restored: restore,
    /// then deploy again without this option
    #[arg(long, help_heading = "Stacks")]
    pub hold_nodes: bool,
    /// Who deploys, and where.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// Options of `lifeboat infrastructure plan`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_PLAN)]
pub struct PlanArguments {
    /// What is built.
    #[command(flatten)]
    pub wanted: Wanted,
    /// A table of prices, instead of the one that comes with this version or in addition to it
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
}

/// Options of `lifeboat infrastructure deploy`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_DEPLOY)]
pub struct DeployArguments {
    /// What is built.
    #[command(flatten)]
    pub wanted: Wanted,
    /// Write the identity map to this file, for `lifeboat restore --identities`
    #[arg(long, value_name = "FILE")]
    pub identities_out: Option<PathBuf>,
}

/// Options of `lifeboat infrastructure teardown`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_TEARDOWN)]
pub struct TeardownArguments {
    /// The name of the application
    pub application: ApplicationName,
    /// The name of the application once more: its recovery side may be where it runs now
    #[arg(long, value_name = "APPLICATION")]
    pub confirm: ApplicationName,
    /// The descriptions from which the stacks were deployed
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub descriptions: Option<PathBuf>,
    /// Delete every stack of the application
    #[arg(long)]
    pub all: bool,
    /// What the stacks were deployed with.
    #[command(flatten)]
    pub adopted: AdoptArguments,
    /// Who deletes, and where.
    #[command(flatten)]
    pub aws: AwsArguments,
}

fn adoption(text: &str) -> Result<Adoption, String> {
    let (from, to) = pair(text)?;
    Ok(Adoption::mapped(from, to))
}

/// Accepts the ARN of a managed policy; those of AWS have no account.
fn policy(text: &str) -> Result<String, String> {
    match text.starts_with("arn:") && text.contains(":policy/") {
        true => Ok(text.to_owned()),
        false => Err("the ARN of a managed policy is needed".to_owned()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.to_owned(), to.to_owned())),
        _ => Err("two names with '=' between them are needed".to_owned()),
    }
}

/// What a deployment of the recovery stacks would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InfrastructurePlanDocument {
    /// Always `lifeboat.dev/infrastructure-plan/v1`.
    pub format: String,
    /// The application.
    pub application: ApplicationName,
    /// The recovery environment.
    pub environment: EnvironmentId,
    /// What the stacks will hold.
    pub mode: Mode,
    /// The stacks in the order in which they are built.
    pub stacks: Vec<PlannedStack>,
    /// What takes the place of resources that no stack builds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Adoption>,
    /// The identity map, with symbols such as `${network.SubnetPrivateA}` for what does not exist yet.
    pub identities: IdentityMap,
    /// What the stacks cost in both modes.
    pub cost: Cost,
}

impl InfrastructurePlanDocument {
    /// The name and version of this document.
    pub const FORMAT: &str = "lifeboat.dev/infrastructure-plan/v1";
}

impl Document for InfrastructurePlanDocument {
    fn table(&self) -> String {
        plan_table(&self.stacks, &self.adopted, &self.cost)
    }
}

/// Returns the plan of the recovery stacks as lines of text.
pub(in crate::command) fn plan_table(stacks: &[PlannedStack], adopted: &[Adoption], cost: &Cost) -> String {
    let mut text = String::new();
    for stack in stacks {
        let state = match (stack.exists, stack.changes.len()) {
            (_, 0) => "no changes".to_owned(),
            (false, count) => format!("new, {}", resources(count)),
            (true, count) => format!("{} change", resources(count)),
        };
        text.push_str(&format!("{}: {state}\n", stack.name));
        text.push_str(&adopted_table(&stack.adopted));
        for change in &stack.changes {
            let sign = match (change.action.as_str(), change.replacement.as_deref()) {
                ("Add", _) => "+",
                ("Remove", _) => "-",
                (_, Some("True" | "Conditional")) => "-/+",
                _ => "~",
            };
            let properties = match change.properties.as_slice() {
                [] => String::new(),
                names => format!(" ({})", names.join(", ")),
            };
            text.push_str(&format!(
                "  {sign} {} {}{properties}\n",
                change.r#type, change.resource
            ));
            let mut differences = stack.differences.iter();
            if let Some(differs) = differences.find(|differs| differs.resource == change.resource) {
                text.push_str(&differences::lines(differs));
            }
        }
    }
    text.push_str(&cost::table(cost));
    if !adopted.is_empty() {
        text.push_str("built by no stack:\n");
        text.push_str(&adopted_table(adopted));
    }
    let findings = stacks.iter().flat_map(|stack| &stack.findings);
    text.push_str(&findings_table(findings));
    text
}

/// Returns what is adopted, with the rule by which it was found, as lines of text.
fn adopted_table(adopted: &[Adoption]) -> String {
    let lines = adopted
        .iter()
        .map(|one| format!("  = {} is {} (by {})\n", one.from, one.to, one.rule));
    lines.collect()
}

fn resources(count: usize) -> String {
    match count {
        1 => "1 resource".to_owned(),
        count => format!("{count} resources"),
    }
}

/// Returns the errors and warnings, each once, as lines of text; of the notes those that say what was not found.
fn findings_table<'a>(findings: impl Iterator<Item = &'a Finding>) -> String {
    let is_shown = |one: &&Finding| one.severity != Severity::Note || one.code == Code::CounterpartNotFound;
    let mut shown: Vec<&Finding> = findings.filter(is_shown).collect();
    shown.sort();
    shown.dedup();
    let mut text = String::new();
    for finding in shown {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        text.push_str(&format!(
            "{severity} {}: {}: {}\n  {}\n",
            finding.code, finding.resource, finding.what, finding.remedy
        ));
    }
    text
}

/// What was deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InfrastructureDocument {
    /// Always `lifeboat.dev/infrastructure/v1`.
    pub format: String,
    /// The application.
    pub application: ApplicationName,
    /// The recovery environment.
    pub environment: EnvironmentId,
    /// What the stacks hold.
    pub mode: Mode,
    /// The stacks in the order in which they were built.
    pub stacks: Vec<BuiltStack>,
    /// What could not be built as it was.
    pub findings: Vec<Finding>,
    /// The identity map by which objects are translated.
    pub identities: IdentityMap,
    /// The file that the identity map was written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identities_out: Option<String>,
}

impl Document for InfrastructureDocument {
    fn table(&self) -> String {
        let mut text = String::new();
        for BuiltStack { stack, outcome } in &self.stacks {
            text.push_str(&format!(
                "{:9} {stack} in {}\n",
                outcome.to_string(),
                self.environment
            ));
        }
        text.push_str(&findings_table(self.findings.iter()));
        if let Some(file) = &self.identities_out {
            text.push_str(&format!(
                "{} identities written to {file}\n",
                self.identities.identities.len()
            ));
        }
        text
    }
}

/// What was taken down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TeardownDocument {
    /// Always `lifeboat.dev/teardown/v1`.
    pub format: String,
    /// The application.
    pub application: ApplicationName,
    /// The recovery environment.
    pub environment: EnvironmentId,
    /// The stacks that were deleted or reduced.
    pub stacks: Vec<String>,
}

impl TeardownDocument {
    /// The name and version of this document.
    pub const FORMAT: &str = "lifeboat.dev/teardown/v1";
}

impl Document for TeardownDocument {
    fn table(&self) -> String {
        if self.stacks.is_empty() {
            return format!(
                "{} has nothing to take down in {}\n",
                self.application, self.environment
            );
        }
        let lines = self.stacks.iter().map(|stack| format!("took down {stack}\n"));
        lines.collect()
    }
}

/// Shows what `deploy` would do.
///
/// # Errors
/// If the descriptions cannot be read, or AWS refuses a request.
pub fn plan(arguments: &PlanArguments, context: &Context) -> Result<Exit, Failure> {
    let wanted = &arguments.wanted;
    let mode = Mode::from(wanted.mode);
    let prices = match &arguments.prices {
        Some(file) => cost::read(file)?,
        None => Prices::built_in(),
    };
    let (environment, planned) = context.block_on(async {
        // Boxed: the futures of the SDK nest deeper than the compiler's limit.
        Box::pin(async {
            let descriptions = read(&wanted.descriptions)?;
            let session = wanted.aws.open().await?;
            let stacks = CloudFormation::new(session.context(), session.environment());
            let facts = wanted.facts(&session, &descriptions, context).await?;
            let tell = tell(context);
            let mut recovery = recovery(&stacks, &descriptions, facts, &tell);
            let planned = recovery.plan(mode, &prices).await?;
            Ok((session.environment().clone(), planned))
        })
        .await
    })?;
    let is_refused = !planned.errors().is_empty();
    context.print(&InfrastructurePlanDocument {
        format: InfrastructurePlanDocument::FORMAT.to_owned(),
        application: wanted.application.clone(),
        environment,
        mode,
        stacks: planned.stacks,
        adopted: planned.adopted,
        identities: planned.identities,
        cost: planned.cost,
    })?;
    Ok(if is_refused {
        Exit::PlanRefused
    } else {
        Exit::Success
    })
}

/// Deploys the recovery stacks.
///
/// # Errors
/// If the descriptions cannot be read, something cannot be built, AWS refuses a request, or a stack fails.
pub fn deploy(arguments: &DeployArguments, context: &Context) -> Result<Exit, Failure> {
    let wanted = &arguments.wanted;
    let mode = Mode::from(wanted.mode);
    let (environment, built) = context.block_on(async {
        Box::pin(async {
            let descriptions = read(&wanted.descriptions)?;
            let session = wanted.aws.open().await?;
            let stacks = CloudFormation::new(session.context(), session.environment());
            let facts = wanted.facts(&session, &descriptions, context).await?;
            let built = recovery(&stacks, &descriptions, facts, &tell(context))
                .deploy(mode)
                .await?;
            Ok((session.environment().clone(), built))
        })
        .await
    })?;
    if let Some(file) = &arguments.identities_out {
        write(file, &built.identities)?;
    }
    context.print(&InfrastructureDocument {
        format: "lifeboat.dev/infrastructure/v1".to_owned(),
        application: wanted.application.clone(),
        environment,
        mode,
        stacks: built.stacks,
        findings: built.findings,
        identities: built.identities,
        identities_out: (arguments.identities_out.as_ref()).map(|file| file.display().to_string()),
    })?;
    Ok(Exit::Success)
}

/// Takes the recovery stacks down to standby, or deletes them.
///
/// # Errors
/// If the confirmation is another name, AWS refuses a request, or a stack fails.
pub fn teardown(arguments: &TeardownArguments, context: &Context) -> Result<Exit, Failure> {
    let application = &arguments.application;
    if arguments.confirm != *application {
        return Err(Failure::new(
            Code::Usage,
            format!("--confirm names {}, not {application}", arguments.confirm),
        )
        .remedy("repeat the name of the application; nothing was changed"));
    }
    let (environment, stacks) = context.block_on(async {
        Box::pin(async {
            let descriptions = arguments.descriptions.as_deref().map(read).transpose()?;
            let session = arguments.aws.open().await?;
            let stacks = CloudFormation::new(session.context(), session.environment());
            let tell = tell(context);
            let done = match &descriptions {
                Some(descriptions) => {
                    let mut facts = facts(&session, application).await?;
                    arguments.adopted.add_to(&mut facts);
                    look_up(&mut facts, &session, descriptions, context).await?;
                    recovery(&stacks, descriptions, facts, &tell).stand_down().await?
                }
                None => take_down(&stacks, application, &change_set, &tell, |_| true).await?,
            };
            Ok((session.environment().clone(), done))
        })
        .await
    })?;
    context.print(&TeardownDocument {
        format: TeardownDocument::FORMAT.to_owned(),
        application: application.clone(),
        environment,
        stacks,
    })?;
    Ok(Exit::Success)
}

pub(in crate::command) fn tell(context: &Context) -> impl Fn(&str) + Send + Sync + '_ {
    |line: &str| context.progress.note(line)
}

pub(in crate::command) fn recovery<'a>(
    stacks: &'a CloudFormation,
    descriptions: &'a Descriptions,
    facts: RecoveryFacts,
    tell: &'a (dyn Fn(&str) + Send + Sync),
) -> Recovery<'a> {
    Recovery {
        stacks,
        descriptions,
        facts,
        change_set: &change_set,
        tell,
        expected_plan: None,
    }
}

/// Returns the facts of the environment of the credentials. Roles get the permissions boundaries that the delegate of the
/// application may set.
pub(in crate::command) async fn facts(
    session: &Session,
    application: &ApplicationName,
) -> Result<RecoveryFacts, Failure> {
    let EnvironmentId { account, region } = session.environment().clone();
    let mut facts = RecoveryFacts::new(account, region, application.clone());
    let stack = CloudFormation::new(session.context(), session.environment())
        .describe(&APPLICATION.stack_of(application))
        .await?;
    let boundaries = stack.and_then(|mut stack| stack.outputs.remove(BOUNDARIES));
    facts.permissions_boundaries = boundaries
        .iter()
        .flat_map(|list| list.split(','))
        .map(str::to_owned)
        .collect();
    Ok(facts)
}

/// Looks up what the stacks depend on in the environment of the credentials, and warns of what is done without.
pub(in crate::command) async fn look_up(
    facts: &mut RecoveryFacts,
    session: &Session,
    descriptions: &Descriptions,
    context: &Context,
) -> Result<(), Failure> {
    let unchecked = lifeboat_describe::look_up(session.context(), descriptions, facts).await?;
    if let Some(problem) = unchecked {
        context.progress.warn(format!("warning: {problem}"));
    }
    Ok(())
}

impl AdoptArguments {
    fn add_to(&self, facts: &mut RecoveryFacts) {
        facts.adopted.clone_from(&self.adopt);
        facts.adopt_existing = self.adopt_existing.iter().copied().collect();
        facts.adopt_tags = self.adopt_tag.iter().cloned().collect();
    }
}

impl Wanted {
    async fn facts(
        &self,
        session: &Session,
        descriptions: &Descriptions,
        context: &Context,
    ) -> Result<RecoveryFacts, Failure> {
        let mut facts = facts(session, &self.application).await?;
        self.adopted.add_to(&mut facts);
        facts.cluster_names = self.cluster_name.iter().cloned().collect();
        facts.delegate_role = Some(match &self.restorer {
            Some(arn) => arn.to_string(),
            None => session.principal(),
        });
        if !self.permissions_boundary.is_empty() {
            (facts.permissions_boundaries).clone_from(&self.permissions_boundary);
        }
        facts.managed_addons = self.managed_addons;
        facts.irsa_to_pod_identity = self.irsa_to_pod_identity;
        facts.allow_nearest_version = self.allow_nearest_version;
        facts.hold_nodes = self.hold_nodes;
        look_up(&mut facts, session, descriptions, context).await?;
        Ok(facts)
    }
}

/// Writes the identity map to a file, whole or not at all.
fn write(file: &Path, identities: &IdentityMap) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(identities)
        .map_err(|error| Failure::of(Code::Bug, "failed to render the identity map as JSON", &error))?;
    text.push('\n');
    replace(file, text.as_bytes()).map_err(|error| {
        let failed = format!("failed to write the identity map to {}", file.display());
        Failure::of(Code::StoreFailed, failed, &error)
            .remedy("name a file in a folder that exists and can be written with --identities-out, and run the same command again")
    })
}

/// Reads descriptions.
fn read(file: &Path) -> Result<Descriptions, Failure> {
    let named = format!("failed to read the descriptions {}", file.display());
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::of(Code::InvalidDocument, named.as_str(), &error)
            .remedy("check the path; `lifeboat infrastructure describe` makes the file")
    })?;
    Descriptions::parse(&bytes).map_err(|error| {
        // The causes quote the text that they fail at, which may be a secret of user data.
        Failure::new(Code::InvalidDocument, format!("{named}: {error}")).remedy(
            "make the file with `lifeboat infrastructure describe` of this version; unknown fields are errors",
        )
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use lifeboat_deploy::ResourceChange;
    use lifeboat_infrastructure::{Difference, MatchRule, Reason, ResourceDifference};
    use lifeboat_model::{AccountId, Region};
    use serde_json::json;

    use super::*;

    #[test]
    fn two_names_make_a_pair() {
        assert_eq!(
            adoption("vpc-1=vpc-2").unwrap(),
            Adoption::mapped("vpc-1", "vpc-2")
        );
        for text in ["vpc-1", "=vpc-2", "vpc-1="] {
            assert!(adoption(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_plan_names_what_changes_and_what_cannot_be_built() {
        let change =
            |action: &str, replacement: Option<&str>, resource: &str, properties: &[&str]| ResourceChange {
                resource: resource.to_owned(),
                r#type: "AWS::EC2::Subnet".to_owned(),
                action: action.to_owned(),
                replacement: replacement.map(str::to_owned),
                properties: properties.iter().map(|name| (*name).to_owned()).collect(),
            };
        let environment = EnvironmentId::parse("222222222222-eu-central-1").unwrap();
        let facts = RecoveryFacts::new(
            AccountId::parse("222222222222").unwrap(),
            Region::parse("eu-central-1").unwrap(),
            ApplicationName::parse("shop").unwrap(),
        );
        let descriptions = Descriptions::new(
            AccountId::parse("111111111111").unwrap(),
            Region::parse("eu-west-1").unwrap(),
        );
        let finding = |severity, code, resource: &str, what: &str| Finding {
            severity,
            resource: resource.to_owned(),
            code,
            what: what.to_owned(),
            remedy: "map it".to_owned(),
        };
        let stack = |name: &str, exists, changes| PlannedStack {
            stack: name.to_owned(),
            name: format!("lifeboat-shop-{name}"),
            exists,
            changes,
            adopted: match name {
                "network" => vec![
                    Adoption {
                        rule: MatchRule::Tags,
                        ..Adoption::mapped("vpc-1", "vpc-2")
                    },
                    Adoption::mapped("subnet-1", "subnet-2"),
                ],
                _ => Vec::new(),
            },
            differences: match name {
                "network" => vec![ResourceDifference {
                    resource: "SubnetB".to_owned(),
                    r#type: "AWS::EC2::Subnet".to_owned(),
                    primary: Some("subnet-2".to_owned()),
                    differences: vec![Difference {
                        path: "/OutpostArn".to_owned(),
                        primary: Some(json!("arn:aws:outposts:eu-west-1:111111111111:outpost/op-1")),
                        recovery: None,
                        is_hidden: false,
                        reason: Reason::NotKept,
                    }],
                }],
                _ => Vec::new(),
            },
            findings: vec![
                finding(
                    Severity::Warning,
                    Code::PrimaryNamed,
                    "arn:aws:iam::111111111111:role/cart",
                    "its trust policy names the primary",
                ),
                finding(Severity::Note, Code::CounterpartNotFound, "sg-1", "it is built"),
                finding(
                    Severity::Note,
                    Code::BuiltLater,
                    "sg-2",
                    "a later stack builds it",
                ),
            ],
        };
        let document = InfrastructurePlanDocument {
            format: "lifeboat.dev/infrastructure-plan/v1".to_owned(),
            application: facts.application.clone(),
            environment,
            mode: Mode::Active,
            stacks: vec![
                stack(
                    "network",
                    true,
                    vec![
                        change("Modify", Some("False"), "SubnetA", &["Tags"]),
                        change("Modify", Some("True"), "SubnetB", &["CidrBlock"]),
                        change("Remove", None, "SubnetC", &[]),
                    ],
                ),
                stack("identity", true, Vec::new()),
                stack("storage", false, vec![change("Add", None, "FileSystem", &[])]),
            ],
            adopted: vec![Adoption::mapped(
                "arn:aws:acm:eu-west-1:111111111111:certificate/1",
                "arn:aws:acm:eu-central-1:222222222222:certificate/2",
            )],
            identities: lifeboat_infrastructure::symbols(&descriptions, &facts),
            cost: lifeboat_infrastructure::cost::cost(&descriptions, &facts, &Prices::built_in()),
        };
        insta::assert_snapshot!(document.table());
    }
}
