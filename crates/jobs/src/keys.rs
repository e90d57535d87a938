//! The keys of a job's documents.

use lifeboat_model::{ClusterName, DelegateId, Epoch, JobId, ObjectKey};

/// A document of a job, identified by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobFile {
    /// The assignment of an epoch.
    Assignment(Epoch),
    /// The claim of an epoch.
    Claim(Epoch),
    /// The checkpoint at the end of an epoch.
    Checkpoint(Epoch),
    /// What the owner of an epoch is doing.
    Progress(Epoch),
    /// The result.
    Result,
    /// The request to end early.
    Cancel,
}

/// Returns the prefix of all keys of a delegate's jobs.
#[must_use]
pub fn jobs_prefix(delegate: &DelegateId) -> String {
    format!("jobs/{delegate}/")
}

/// Returns the prefix of all keys of a job.
#[must_use]
pub fn job_prefix(job: &JobId) -> String {
    format!("jobs/{job}/")
}

/// Returns the key of the report of a restore that an epoch has written.
#[must_use]
pub fn report_key(job: &JobId, epoch: Epoch) -> ObjectKey {
    ObjectKey::parse(format!("reports/{job}/{epoch}.json")).expect("a job id is made of clean path segments")
}

/// Returns the key of a part of a plan that an epoch has written: that of a cluster, or without one that of the AWS
/// resources.
#[must_use]
pub fn plan_part_key(job: &JobId, epoch: Epoch, cluster: Option<&ClusterName>) -> ObjectKey {
    let part = match cluster {
        Some(cluster) => format!("cluster-{cluster}"),
        None => "infrastructure".to_owned(),
    };
    ObjectKey::parse(format!("reports/{job}/{epoch}-{part}.json"))
        .expect("job ids and names of clusters are made of clean path segments")
}

impl JobFile {
    /// Returns the key of this document of a job.
    #[must_use]
    pub fn key(self, job: &JobId) -> ObjectKey {
        let name = match self {
            Self::Assignment(Epoch::FIRST) => "assignment.json".to_owned(),
            Self::Assignment(epoch) => format!("assignment-{epoch}.json"),
            Self::Claim(epoch) => format!("claim-{epoch}.json"),
            Self::Checkpoint(epoch) => format!("checkpoint-{epoch}.json"),
            Self::Progress(epoch) => format!("progress-{epoch}.json"),
            Self::Result => "result.json".to_owned(),
            Self::Cancel => "cancel.json".to_owned(),
        };
        ObjectKey::parse(format!("jobs/{job}/{name}")).expect("a job id is made of clean path segments")
    }

    /// Parses a key into job and document; `None` if it is not the key of a job's document.
    #[must_use]
    pub fn of_key(key: &str) -> Option<(JobId, Self)> {
        let (job, name) = key.strip_prefix("jobs/")?.rsplit_once('/')?;
        let job = JobId::parse(job).ok()?;
        let file = match name {
            "assignment.json" => Self::Assignment(Epoch::FIRST),
            "result.json" => Self::Result,
            "cancel.json" => Self::Cancel,
            _ => {
                let (kind, epoch) = name.strip_suffix(".json")?.rsplit_once('-')?;
                let epoch: Epoch = epoch.parse().ok()?;
                match kind {
                    // The assignment of epoch 1 has no number in its name.
                    "assignment" if epoch > Epoch::FIRST => Self::Assignment(epoch),
                    "claim" => Self::Claim(epoch),
                    "checkpoint" => Self::Checkpoint(epoch),
                    "progress" => Self::Progress(epoch),
                    _ => return None,
                }
            }
        };
        Some((job, file))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn keys_and_documents_belong_together() {
        let second = Epoch::FIRST.next();
        let jobs =
            ["shop", "shop.orders"].map(|delegate| format!("{delegate}/20261121T112233Z-7f3a9c-capture-00"));
        let jobs = jobs.map(|job| JobId::parse(job).unwrap());
        for (file, name) in [
            (JobFile::Assignment(Epoch::FIRST), "assignment.json"),
            (JobFile::Assignment(second), "assignment-0002.json"),
            (JobFile::Claim(Epoch::FIRST), "claim-0001.json"),
            (JobFile::Checkpoint(second), "checkpoint-0002.json"),
            (JobFile::Progress(second), "progress-0002.json"),
            (JobFile::Result, "result.json"),
            (JobFile::Cancel, "cancel.json"),
        ] {
            for job in &jobs {
                let key = file.key(job);
                assert_eq!(key.as_str(), format!("jobs/{job}/{name}"));
                assert_eq!(JobFile::of_key(key.as_str()), Some((job.clone(), file)));
            }
        }
        for other in [
            "jobs/shop/x",
            "jobs/shop/x/y/result.json",
            "jobs/shop/x/assignment-0001.json",
            "jobs/shop/x/claim-1.json",
            "jobs/shop/x/claim-0000.json",
            "jobs/shop/x/result.json.bak",
            "captures/shop/x/result.json",
        ] {
            assert_eq!(JobFile::of_key(other), None, "{other}");
        }
    }
}
