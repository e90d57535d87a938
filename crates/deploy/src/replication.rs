//! Ends the replication to file systems of the recovery environment, so that Pods can write to them.

use aws_sdk_efs::Client;
use aws_sdk_efs::types::DeletionMode;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_model::Problem;

/// The action of IAM that [`end`] needs, on the file systems of the recovery environment.
pub const ACTION: &str = "elasticfilesystem:DeleteReplicationConfiguration";

/// The error code for a file system that nothing is replicated to: the replication was ended before.
const NO_REPLICATION: &str = "ReplicationNotFound";

/// Ends the replication from a file system of the primary environment, on this side alone: the primary may not answer, or
/// may not be trusted. Its replica is writable once EFS has deleted the configuration
/// (<https://docs.aws.amazon.com/efs/latest/ug/delete-replications.html>). Returns whether there was a replication.
///
/// # Errors
/// If EFS refuses the request.
pub async fn end(context: &AwsContext, source: &str) -> Result<bool, Problem> {
    let client = Client::new(context.sdk_config());
    let request = client
        .delete_replication_configuration()
        .source_file_system_id(source)
        .deletion_mode(DeletionMode::LocalConfigurationOnly);
    let error = match request.send().await {
        Ok(_) => return Ok(true),
        Err(error) => AwsError::new(ACTION, source, error),
    };
    match error.code() {
        Some(NO_REPLICATION) => Ok(false),
        _ => Err(context.problem(&format!("end the replication of {source}"), &error)),
    }
}
