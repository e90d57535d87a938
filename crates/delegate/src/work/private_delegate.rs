//! Private delegates: deploys, updates and removes that of a cluster.

use async_trait::async_trait;
use lifeboat_deploy::diagnosis::is_retryable;
use lifeboat_jobs::worker::{Epoch, EpochEnd, Handler, Stop};
use lifeboat_jobs::{
    Done, Failure, Outcome, PrivateDelegateChange, PrivateDelegateDone, PrivateDelegateWork, Progress,
};
use lifeboat_model::{Code, Problem, StackOutcome};

use super::Delegate;
use crate::private_delegates::{PrivateDelegates, eks_name};

#[async_trait(?Send)]
impl Handler<PrivateDelegateWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, work: &PrivateDelegateWork) -> EpochEnd {
        let Some(delegates) = &self.private_delegates else {
            return EpochEnd::failed(not_granted(), false);
        };
        let mut change = Box::pin(change(delegates.as_ref(), work));
        match epoch.while_owned(change.as_mut(), lifeboat_system::sleep).await {
            Ok(Ok(done)) => EpochEnd::Result(Outcome::Done(Done::PrivateDelegate(done)), Vec::new()),
            Ok(Err(problem)) => {
                let retry = is_retryable(problem.code);
                EpochEnd::failed(problem, retry)
            }
            Err(Stop::Time) if self.clock.now() >= work.until => EpochEnd::failed(unfinished(work), true),
            // CloudFormation goes on by itself; the next epoch waits for what was started.
            Err(why) => why.end(|| Progress::Nothing {}),
        }
    }
}

async fn change(
    delegates: &dyn PrivateDelegates,
    work: &PrivateDelegateWork,
) -> Result<PrivateDelegateDone, Problem> {
    let target = &work.cluster;
    match &work.change {
        PrivateDelegateChange::Deploy(endpoint) if endpoint.is_valid() => Ok(PrivateDelegateDone {
            outcome: delegates.deploy(target, endpoint).await?,
            registration: None,
        }),
        PrivateDelegateChange::Deploy(_) => Err(Problem::new(
            Code::JobDocumentRefused,
            format!(
                "the network of {} is not one that EKS can have described",
                target.arn
            ),
            "report this as a bug of the coordinator",
        )),
        PrivateDelegateChange::Remove {} => {
            let cluster = eks_name(target)?;
            delegates.remove(&cluster).await?;
            // Only now, because the private delegate would write it again.
            let forgotten = delegates.forget(&cluster).await;
            Ok(PrivateDelegateDone {
                outcome: StackOutcome::Deleted,
                registration: forgotten.err().map(|problem| Failure::from(&problem)),
            })
        }
    }
}

fn not_granted() -> Problem {
    Problem::new(
        Code::AwsDenied,
        "the delegate was deployed without the permissions to deploy private delegates",
        "set the parameter PrivateDelegates of the stack of the application to true, or run `lifeboat deploy private-delegate`",
    )
}

/// Returns the problem of a stack that has not ended in time, and what it waits for.
fn unfinished(work: &PrivateDelegateWork) -> Problem {
    let (arn, until) = (&work.cluster.arn, work.until);
    let what = match &work.change {
        PrivateDelegateChange::Deploy(_) => {
            format!("the stack of the private delegate of {arn} is not deployed by {until}")
        }
        PrivateDelegateChange::Remove {} => format!(
            "the stack of the private delegate of {arn} is not deleted by {until}: it waits until Lambda has removed the network interfaces of its function"
        ),
    };
    Problem::of(Code::StackUnfinished, what)
}
