//! The errors of a recovery.

use lifeboat_model::{Code, Diagnostic, ErrorKind, Problem};
use lifeboat_recovery_point::PointError;

use crate::execute::{LeaseError, RestoreError};
use crate::prove::ProveError;
use crate::survey::SurveyError;
use lifeboat_apiserver::discovery::DiscoveryError;

use super::combine;
use crate::lease::LeaseEnd;
use crate::webhooks::RefusingWebhook;
use lifeboat_apiserver::api::{Api, ApiError};
use lifeboat_apiserver::list::PageError;

/// A recovery that did not complete. The text reads well after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The recovery point cannot be read.
    #[error(transparent)]
    Point(#[from] PointError),
    /// The index of the recovery point contains a type that its manifest does not name.
    #[error("plan the restore: the index contains {type_name}, which is not in the manifest")]
    Unnamed {
        /// The type's name.
        type_name: String,
    },
    /// An object of the recovery point cannot be read.
    #[error("plan the restore")]
    Object(#[source] lifeboat_plan::ObserveError),
    /// The target's types cannot be read.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The survey of the target failed.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// Another process holds the Lease of the target, or the Lease cannot be acquired.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The plan differs from the expected one.
    #[error("execute the plan: its hash is {found}, not the expected {expected}")]
    OtherPlan {
        /// The expected hash.
        expected: String,
        /// The hash of the plan.
        found: String,
    },
    /// The options do not fit the recovery point or the target.
    #[error("make a plan")]
    NoPlan {
        /// All problems found.
        problems: Vec<Problem>,
    },
    /// The plan is rejected. Nothing was written.
    #[error("execute the plan: it is rejected")]
    Refused {
        /// All problems found.
        problems: Vec<Problem>,
    },
    /// The restore stopped before its end.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The target could not be read back.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// An admission webhook of the target refuses what the restore itself needs: its Lease, or an access review.
    #[error("{cause}")]
    Webhook {
        /// The error of the request.
        #[source]
        cause: Box<RecoverError>,
        /// The webhook.
        webhook: Box<RefusingWebhook>,
    },
    /// The recovery was interrupted before it wrote anything.
    #[error("restore: it was interrupted before an object was written")]
    Interrupted,
}

impl RecoverError {
    /// Returns the admission webhook that refused a request, if one did.
    fn refused_by(&self) -> Option<&str> {
        fn of(error: &ApiError) -> Option<&str> {
            error.refusal()?.webhook()
        }
        match self {
            Self::Lease(LeaseError::Api(error)) | Self::Restore(RestoreError::Api(error)) => of(error),
            Self::Restore(RestoreError::Lease(LeaseEnd::NotRenewed { webhook, .. })) => webhook.as_deref(),
            Self::Survey(SurveyError::Api(error)) | Self::Prove(ProveError::Api(error)) => of(error),
            Self::Survey(SurveyError::List {
                cause: PageError::Api(error),
                ..
            }) => of(error),
            _ => None,
        }
    }

    /// Names the configurations of the webhook that refused a request, if one did.
    pub async fn explain(self, api: &Api) -> Self {
        let Some(name) = self.refused_by().map(str::to_owned) else {
            return self;
        };
        let webhook = Box::new(RefusingWebhook::find(api, &name).await);
        Self::Webhook {
            cause: Box::new(self),
            webhook,
        }
    }
}

impl Diagnostic for RecoverError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Point(error) => error.kind(),
            Self::Unnamed { .. } | Self::Object(_) => ErrorKind::Corrupt,
            Self::Discovery(error) => error.kind(),
            Self::Survey(error) => error.kind(),
            Self::Lease(error) => error.kind(),
            Self::OtherPlan { .. } | Self::NoPlan { .. } | Self::Refused { .. } => ErrorKind::Invalid,
            Self::Restore(error) => error.kind(),
            Self::Prove(error) => error.kind(),
            Self::Webhook { .. } => ErrorKind::Denied,
            Self::Interrupted => ErrorKind::Retry,
        }
    }

    fn code(&self) -> Code {
        self.problem().code
    }

    fn problem(&self) -> Problem {
        match self {
            Self::Point(error) => error.problem(),
            Self::Unnamed { .. } => Problem::new(
                Code::ManifestMalformed,
                format!("failed to {self}"),
                "use another recovery point; lifeboat did not seal this one in its present form",
            ),
            Self::Object(error) => Problem::new(
                Code::PackCorrupt,
                format!("failed to {self}"),
                "verify the point with `lifeboat verify`, and use another one",
            )
            .caused_by(error),
            Self::Discovery(error) => error.problem(),
            Self::Survey(error) => error.problem(),
            Self::Lease(error) => error.problem(),
            Self::OtherPlan { expected, found } => Problem::new(
                Code::PlanRefused,
                format!("the plan has the hash {found}, not the expected {expected}"),
                "the point, the options or the target changed: review `lifeboat plan` again",
            ),
            Self::NoPlan { problems } | Self::Refused { problems } => combine(problems),
            Self::Restore(error) => error.problem(),
            Self::Prove(error) => error.problem(),
            Self::Webhook { cause, webhook } => webhook.explain(cause.problem()),
            Self::Interrupted => Problem::of(
                Code::Interrupted,
                "the restore was interrupted before an object was written",
            ),
        }
    }
}
