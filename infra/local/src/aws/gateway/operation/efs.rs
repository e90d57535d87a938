//! EFS identifies an operation by method and path.

use http::request::Parts;

use super::{Need, segments};
use crate::aws::gateway::wire::parameter;

pub(super) fn need(region: &str, account: &str, parts: &Parts) -> Need {
    let segments = segments(parts.uri.path());
    // The first segment is the version of the API.
    let path: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    let (operation, id) = match (parts.method.as_str(), path.as_slice()) {
        ("POST", ["file-systems"]) => ("CreateFileSystem", None),
        ("GET", ["file-systems"]) => ("DescribeFileSystems", None),
        ("GET", ["file-systems", "replication-configurations"]) => {
            ("DescribeReplicationConfigurations", None)
        }
        ("PUT", ["file-systems", id]) => ("UpdateFileSystem", Some(*id)),
        ("DELETE", ["file-systems", id]) => ("DeleteFileSystem", Some(*id)),
        ("GET", ["file-systems", id, "policy"]) => ("DescribeFileSystemPolicy", Some(*id)),
        ("PUT", ["file-systems", id, "policy"]) => ("PutFileSystemPolicy", Some(*id)),
        ("DELETE", ["file-systems", id, "policy"]) => ("DeleteFileSystemPolicy", Some(*id)),
        ("GET", ["file-systems", id, "lifecycle-configuration"]) => {
            ("DescribeLifecycleConfiguration", Some(*id))
        }
        ("PUT", ["file-systems", id, "lifecycle-configuration"]) => ("PutLifecycleConfiguration", Some(*id)),
        ("GET", ["file-systems", id, "backup-policy"]) => ("DescribeBackupPolicy", Some(*id)),
        ("PUT", ["file-systems", id, "backup-policy"]) => ("PutBackupPolicy", Some(*id)),
        ("POST", ["file-systems", id, "replication-configuration"]) => {
            ("CreateReplicationConfiguration", Some(*id))
        }
        ("DELETE", ["file-systems", id, "replication-configuration"]) => {
            ("DeleteReplicationConfiguration", Some(*id))
        }
        ("POST", ["access-points"]) => ("CreateAccessPoint", None),
        ("GET", ["access-points"]) => ("DescribeAccessPoints", None),
        ("DELETE", ["access-points", id]) => ("DeleteAccessPoint", Some(*id)),
        ("POST", ["mount-targets"]) => ("CreateMountTarget", None),
        ("GET", ["mount-targets"]) => ("DescribeMountTargets", None),
        ("DELETE", ["mount-targets", _]) => ("DeleteMountTarget", None),
        ("GET", ["mount-targets", _, "security-groups"]) => ("DescribeMountTargetSecurityGroups", None),
        ("PUT", ["mount-targets", _, "security-groups"]) => ("ModifyMountTargetSecurityGroups", None),
        ("GET", ["resource-tags", id]) => ("ListTagsForResource", Some(*id)),
        ("POST", ["resource-tags", id]) => ("TagResource", Some(*id)),
        ("DELETE", ["resource-tags", id]) => ("UntagResource", Some(*id)),
        _ => ("Unknown", None),
    };
    let query = parts.uri.query().unwrap_or_default();
    let id = id.map(str::to_owned);
    let id = id
        .or_else(|| parameter(query, "FileSystemId"))
        .or_else(|| parameter(query, "AccessPointId"));
    let resource = match id {
        Some(arn) if arn.starts_with("arn:") => arn,
        Some(id) => {
            let kind = if id.starts_with("fsap-") {
                "access-point"
            } else {
                "file-system"
            };
            format!("arn:aws:elasticfilesystem:{region}:{account}:{kind}/{id}")
        }
        // The file system of a mount target is not in the request.
        None if path.first() == Some(&"mount-targets") => {
            format!("arn:aws:elasticfilesystem:{region}:{account}:file-system/*")
        }
        None => "*".to_owned(),
    };
    Need::new(&format!("elasticfilesystem:{operation}"), resource)
}
