//! Checks the resources of the access stack, and the clock.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use lifeboat_aws::{AwsContext, AwsError, BucketFacts};
use lifeboat_model::{Code, EnvironmentId, ErrorKind, Problem};

/// The maximum difference between the clocks of the function and of S3. AWS rejects signatures that are five
/// minutes off (IAM User Guide, "Signing AWS API requests"); claims of jobs end a minute after their
/// deadline.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// Reads the settings of the environment's scratch bucket.
#[async_trait]
pub trait BucketCheck: Send + Sync {
    /// Returns the facts that S3 reports about the bucket.
    ///
    /// # Errors
    /// If a request to S3 fails.
    async fn look(&self) -> Result<BucketFacts, Problem>;
}

/// The scratch bucket in S3.
pub struct ScratchBucket {
    /// The AWS context of the function.
    pub context: AwsContext,
    /// The environment that the bucket belongs to.
    pub environment: EnvironmentId,
}

#[async_trait]
impl BucketCheck for ScratchBucket {
    async fn look(&self) -> Result<BucketFacts, Problem> {
        let (bucket, owner) = (self.environment.scratch_bucket(), &self.environment.account);
        (BucketFacts::read(&self.context, &bucket, owner).await).map_err(|error| unseen(&bucket, &error))
    }
}

/// Returns the problems of bucket and clock. `now` is the time of the function right before the call.
pub(super) async fn problems(
    bucket: &dyn BucketCheck,
    environment: &EnvironmentId,
    now: Timestamp,
) -> Vec<Problem> {
    match bucket.look().await {
        Ok(facts) => judge(&facts, environment, now),
        Err(problem) => vec![problem],
    }
}

fn judge(facts: &BucketFacts, environment: &EnvironmentId, now: Timestamp) -> Vec<Problem> {
    let (bucket, region) = (environment.scratch_bucket(), &environment.region);
    let mut problems = Vec::new();
    if let Some(theirs) = facts.now {
        let off = now.duration_since(theirs);
        if off.abs() > TOLERANCE {
            problems.push(Problem::new(
                Code::ClockSkewed,
                format!(
                    "the clock of the function differs from that of S3 by {} seconds",
                    off.as_secs()
                ),
                "deploy the stack again, so that the function runs on another host",
            ));
        }
    }
    if !facts.closed {
        problems.push(Problem::new(
            Code::BucketPolicyInvalid,
            format!("public access to the scratch bucket {bucket} is not blocked"),
            format!(
                "run `aws s3api put-public-access-block --region {region} --bucket {bucket} --public-access-block-configuration \
                 BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true`"
            ),
        ));
    }
    if !facts.owns_objects {
        problems.push(Problem::new(
            Code::BucketPolicyInvalid,
            format!("objects in the scratch bucket {bucket} may belong to other accounts"),
            format!(
                "run `aws s3api put-bucket-ownership-controls --region {region} --bucket {bucket} \
                 --ownership-controls 'Rules=[{{ObjectOwnership=BucketOwnerEnforced}}]'`"
            ),
        ));
    }
    problems
}

fn unseen(bucket: &str, error: &AwsError) -> Problem {
    let guidance = match error.kind() {
        ErrorKind::Gone => "deploy the access stack of this account and Region first".to_owned(),
        ErrorKind::Denied => format!(
            "update the access stack of this account and Region, which allows {}, or check whether the bucket belongs to another account",
            error.action()
        ),
        _ => "deploy the stack again in a few minutes".to_owned(),
    };
    let message = format!("failed to check the scratch bucket {bucket}");
    Problem::new(Code::BucketPolicyInvalid, message, guidance).caused_by(error)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn facts(now: &str) -> BucketFacts {
        BucketFacts {
            closed: true,
            owns_objects: true,
            now: Some(now.parse().unwrap()),
        }
    }

    fn judged(facts: &BucketFacts) -> Vec<Problem> {
        let environment = EnvironmentId::parse("111111111111-eu-west-1").unwrap();
        judge(facts, &environment, "2026-11-21T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_clock_may_be_a_minute_off_and_no_more() {
        for fine in ["2026-11-21T09:59:00Z", "2026-11-21T10:01:00Z"] {
            assert_eq!(judged(&facts(fine)), []);
        }
        for (wrong, says) in [
            ("2026-11-21T09:58:59Z", "differs from that of S3 by 61 seconds"),
            ("2026-11-21T10:20:00Z", "differs from that of S3 by -1200 seconds"),
        ] {
            let problems = judged(&facts(wrong));
            assert_eq!(problems[0].code, Code::ClockSkewed);
            assert!(problems[0].message.contains(says), "{}", problems[0]);
        }
        let silent = BucketFacts {
            now: None,
            ..facts("2026-11-21T10:00:00Z")
        };
        assert_eq!(judged(&silent), []);
    }

    #[test]
    fn an_open_bucket_is_told_with_the_command_that_closes_it() {
        let open = BucketFacts {
            closed: false,
            owns_objects: false,
            now: None,
        };
        let problems = judged(&open);
        assert_eq!(problems.len(), 2);
        for (problem, command) in problems
            .iter()
            .zip(["put-public-access-block", "put-bucket-ownership-controls"])
        {
            assert_eq!(problem.code, Code::BucketPolicyInvalid);
            let wanted = format!(
                "aws s3api {command} --region eu-west-1 --bucket lifeboat-scratch-111111111111-eu-west-1"
            );
            assert!(problem.guidance.contains(&wanted), "{}", problem.guidance);
        }
    }
}
