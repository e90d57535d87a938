//! The issues about private delegates that the public one deploys. While a job works on it, nobody is asked for anything.

use lifeboat_aws::names::private_stack;
use lifeboat_jobs::AccessFinding;
use lifeboat_model::{Arn, Code, Issue, Problem};

use super::{DecisionBuilder, PrivateDeployment, REGISTERS_WITHIN, Worded, later};
use crate::access::commands::deploy_private;

impl DecisionBuilder<'_> {
    /// Words the finding that the public delegate cannot reach a cluster, by what becomes of its private delegate; `None`
    /// while that is on its way.
    pub(crate) fn worded_by_deployment(
        &self,
        arn: &Arn,
        finding: &AccessFinding,
        mut worded: Worded,
    ) -> Option<Worded> {
        let is_of_endpoint = matches!(
            finding,
            AccessFinding::PrivateEndpoint {} | AccessFinding::RestrictedEndpoint { .. }
        );
        let deployment = self.state.deployments.get(arn.as_str());
        let Some(deployment) = deployment.filter(|_| is_of_endpoint) else {
            return Some(worded);
        };
        let silent = deployment.deployed.as_ref().filter(|deployed| {
            self.now >= later(deployed.at, REGISTERS_WITHIN) && !self.is_registered(&deployment.cluster)
        });
        match (&deployment.problem, silent) {
            (Some(problem), _) => {
                worded.problem.causes.extend(causes(problem));
            }
            (None, Some(deployed)) => worded.problem.causes.push(format!(
                "the private delegate was deployed at {}, and has not registered since: its function may have no way to Amazon S3",
                deployed.at
            )),
            (None, None) => return None,
        }
        if deployment.job.is_some() {
            worded.problem.guidance = "wait: the public delegate deploys it again".to_owned();
            worded.command = None;
            worded.alternatives.clear();
        }
        worded.problem = worded.problem.bounded();
        Some(worded)
    }

    /// Finds private delegates that could not be updated or removed. One that is missing is an issue about its cluster.
    pub(crate) fn deployment_issues(&mut self) {
        let deployments = self.state.deployments.values();
        let issues = deployments.filter_map(|deployment| {
            let cause = deployment.problem.as_ref()?;
            self.deployment_issue(deployment, cause)
        });
        let mut issues: Vec<Issue> = issues.collect();
        self.found.append(&mut issues);
    }

    fn deployment_issue(&self, deployment: &PrivateDeployment, cause: &Problem) -> Option<Issue> {
        let cluster = &deployment.cluster;
        let (name, region) = (cluster.eks_name()?, cluster.arn.region()?);
        let (application, side) = (&self.state.application, self.side_of(cluster));
        let (mut problem, command) = if deployment.leaves {
            let stack = private_stack(application, &name);
            let problem = Problem::of(
                Code::PrivateDelegateRemains,
                format!("the private delegate of {name} is not needed any more, and could not be removed"),
            );
            let command = format!("aws cloudformation delete-stack --stack-name {stack} --region {region}");
            (problem, command)
        } else if self.lacks_private_delegate(cluster) {
            return None;
        } else {
            let problem = Problem::of(
                Code::PrivateDelegateFailed,
                format!("the private delegate of {name} could not be updated"),
            );
            (
                problem,
                deploy_private(application, side, &cluster.arn, &cluster.name),
            )
        };
        problem.causes.extend(causes(cause));
        let about = format!("{}/{name}", self.environment_of(side));
        let issue =
            Issue::new(application, &about, &problem.bounded(), self.now).about_cluster(&cluster.name);
        let command = deployment.job.is_none().then_some(command);
        Some(issue.with_command(command).as_warning())
    }
}

/// Returns a problem and its causes as the causes of another one.
fn causes(problem: &Problem) -> impl Iterator<Item = String> {
    let first = format!("{}: {}", problem.code, problem.message);
    std::iter::once(first).chain(problem.causes.iter().cloned())
}
