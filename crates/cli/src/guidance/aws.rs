//! What the codes of deploying to AWS and of asking the coordinator mean (LB-10xx).

use lifeboat_model::Code;

use super::{Guidance, of};

pub(super) fn aws(code: Code) -> Guidance {
    match code {
        Code::NoCredentials => of(
            "AWS credentials or Region are missing or not valid",
            "Lifeboat resolves both as the AWS CLI does: --profile and --region, then AWS_PROFILE and AWS_REGION. No resource was changed.",
            "sign in (`aws sso login`, `aws configure`), or set --profile and --region",
        ),
        Code::WrongAccount => of(
            "the credentials belong to another account",
            "The account is compared before any resource is changed.",
            "choose a profile of the right account with --profile",
        ),
        Code::AwsDenied => of(
            "these credentials are not allowed to perform an action",
            "Changes made before are kept; the same command continues.",
            "allow the action, or use other credentials with --profile",
        ),
        Code::AwsFailed => of(
            "a call to AWS failed",
            "Transient failures were retried. Changes made before are kept; the same command continues.",
            "check the Region, the network and the message from AWS, then run the same command again",
        ),
        Code::StackFailed => of(
            "a stack failed",
            "CloudFormation rolled the change back. Buckets and keys that it created are retained; the next deployment reuses them.",
            "resolve the failure of the resources listed first, then run the same command again",
        ),
        Code::StackNotUpdatable => of(
            "a stack cannot be updated in its current state",
            "CloudFormation accepts no update until the stack is deleted or its rollback is completed.",
            "run the command in the message, then run the same command again",
        ),
        Code::PackagesMissing => of(
            "the zips of the functions are missing or of another version",
            "The functions are uploaded from this machine. Nothing was changed.",
            "use the program of an archive beside its folder functions; in a checkout run `make package`; or name the folder of the zips with --package",
        ),
        Code::NoCoordinator => of(
            "there is no coordinator in this account and Region",
            "The coordinator is the function lifeboat-coordinator of the stack control, by default in the recovery account.",
            "set --profile and --region to the control account and its Region, or deploy the coordinator with `lifeboat deploy recovery`",
        ),
        Code::CoordinatorFailed => of(
            "the coordinator failed on a request",
            "The request may have started; a request with the same --token starts only once.",
            "check the log group /aws/lambda/lifeboat-coordinator; run `lifeboat deploy recovery` if its version differs from this program's",
        ),
        _ => of(
            "a required stack is not deployed",
            "No resource was changed.",
            "run the command in the message first",
        ),
    }
}
