//! What the codes of deploying to AWS and of asking the coordinator mean (LB-10xx).

use lifeboat_model::Code;

use super::{Guidance, of};

pub(super) fn aws(code: Code) -> Guidance {
    match code {
        Code::NoCredentials => of(
            "credentials of AWS or a Region are missing or not valid",
            "Lifeboat takes both as every AWS tool does: --profile and --region, then AWS_PROFILE and AWS_REGION. Nothing was changed.",
            "log in (`aws sso login`, `aws configure`), or name a profile with --profile and a Region with --region",
        ),
        Code::WrongAccount => of(
            "the credentials belong to another account",
            "They were compared with the account that was asked for before anything was changed.",
            "name a profile of the right account with --profile",
        ),
        Code::AwsDenied => of(
            "AWS refuses an action to these credentials",
            "What was done before stays; the same command continues.",
            "allow the action that is named, or use other credentials with --profile",
        ),
        Code::AwsFailed => of(
            "a call to AWS failed",
            "It was tried several times where that could help. What was done before stays; the same command continues.",
            "check the Region, the network and what AWS says, then run the same command again",
        ),
        Code::StackFailed => of(
            "a stack did not come about",
            "CloudFormation has undone the change. Buckets and keys that it had made may still be there; they are taken over by the next try.",
            "mend what the resources say that failed first, then run the same command again",
        ),
        Code::StackStuck => of(
            "a stack cannot be changed in its present state",
            "CloudFormation accepts no change of it until it is deleted, or its rollback is ended.",
            "run the command that the problem names, then the same command again",
        ),
        Code::NotPackaged => of(
            "the zips of the functions are missing or of another version",
            "The functions are uploaded from this machine. Nothing was changed.",
            "use the program of an archive beside its folder functions; in a checkout run `make package`; or name the folder of the zips with --package",
        ),
        Code::NoCoordinator => of(
            "there is no coordinator in this account and Region",
            "The coordinator is the function lifeboat-coordinator of the stack control, by default in the recovery account.",
            "choose the control account and its Region with --profile and --region, or deploy it with `lifeboat deploy recovery`",
        ),
        Code::CoordinatorFailed => of(
            "the coordinator failed on a request",
            "Whether anything was begun is not known; a request with the same --token starts nothing twice.",
            "look at the log group /aws/lambda/lifeboat-coordinator; deploy the version of this program if the two differ",
        ),
        _ => of(
            "a stack that is built upon has not been deployed",
            "Nothing was changed.",
            "run the command that the problem names first",
        ),
    }
}
