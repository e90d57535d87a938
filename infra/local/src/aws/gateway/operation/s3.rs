//! S3 identifies an operation by method, path and query parameters.

use http::Method;
use http::request::Parts;

use super::Need;
use crate::aws::gateway::wire::{decode, parameters};

/// Subresources of a bucket, and the name that the action to read or write each has.
const OF_BUCKET: &[(&str, &str)] = &[
    ("versioning", "BucketVersioning"),
    ("policy", "BucketPolicy"),
    ("policyStatus", "BucketPolicyStatus"),
    ("publicAccessBlock", "BucketPublicAccessBlock"),
    ("encryption", "EncryptionConfiguration"),
    ("lifecycle", "LifecycleConfiguration"),
    ("notification", "BucketNotification"),
    ("tagging", "BucketTagging"),
    ("object-lock", "BucketObjectLockConfiguration"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("location", "BucketLocation"),
    ("logging", "BucketLogging"),
    ("acl", "BucketAcl"),
    ("cors", "BucketCORS"),
];

/// Subresources of an object, likewise.
const OF_OBJECT: &[(&str, &str)] = &[
    ("tagging", "ObjectTagging"),
    ("retention", "ObjectRetention"),
    ("legal-hold", "ObjectLegalHold"),
    ("acl", "ObjectAcl"),
    ("attributes", "ObjectAttributes"),
];

pub(super) fn needs(parts: &Parts) -> Vec<Need> {
    let path = parts.uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let query: Vec<String> = parameters(parts.uri.query().unwrap_or_default())
        .map(|(name, _)| name)
        .collect();
    let asks = |name: &str| query.iter().any(|asked| asked == name);
    if bucket.is_empty() {
        return vec![Need::new("s3:ListAllMyBuckets", "*")];
    }
    let bucket = format!("arn:aws:s3:::{}", decode(bucket));
    if key.is_empty() {
        return vec![of_bucket(&parts.method, &asks, bucket)];
    }
    let object = format!("{bucket}/{}", decode(key));
    let mut needs = vec![of_object(&parts.method, &asks, object.clone())];
    let source = parts
        .headers
        .get("x-amz-copy-source")
        .and_then(|source| source.to_str().ok());
    if let Some(source) = source {
        let source = decode(source.split('?').next().unwrap_or(source));
        needs.push(Need::new(
            "s3:GetObject",
            format!("arn:aws:s3:::{}", source.trim_start_matches('/')),
        ));
    }
    for (header, action) in [
        ("x-amz-tagging", "s3:PutObjectTagging"),
        ("x-amz-object-lock-mode", "s3:PutObjectRetention"),
    ] {
        if parts.headers.contains_key(header) {
            needs.push(Need::new(action, object.clone()));
        }
    }
    needs
}

fn of_bucket(method: &Method, asks: &impl Fn(&str) -> bool, bucket: String) -> Need {
    if let Some((_, name)) = OF_BUCKET.iter().find(|(asked, _)| asks(asked)) {
        // Only the deletion of a policy has an action of its own.
        let verb = match (*method == Method::GET, *method == Method::DELETE, *name) {
            (true, ..) => "Get",
            (_, true, "BucketPolicy") => "Delete",
            _ => "Put",
        };
        return Need::new(&format!("s3:{verb}{name}"), bucket);
    }
    let action = match *method {
        Method::PUT => "s3:CreateBucket",
        Method::DELETE => "s3:DeleteBucket",
        Method::POST if asks("delete") => return Need::new("s3:DeleteObject", format!("{bucket}/*")),
        Method::GET if asks("versions") => "s3:ListBucketVersions",
        Method::GET if asks("uploads") => "s3:ListBucketMultipartUploads",
        Method::GET | Method::HEAD => "s3:ListBucket",
        _ => "s3:Unknown",
    };
    Need::new(action, bucket)
}

fn of_object(method: &Method, asks: &impl Fn(&str) -> bool, object: String) -> Need {
    if let Some((_, name)) = OF_OBJECT.iter().find(|(asked, _)| asks(asked)) {
        let verb = match *method {
            Method::GET => "Get",
            Method::DELETE => "Delete",
            _ => "Put",
        };
        return Need::new(&format!("s3:{verb}{name}"), object);
    }
    let action = match *method {
        Method::GET if asks("uploadId") => "s3:ListMultipartUploadParts",
        Method::GET | Method::HEAD if asks("versionId") => "s3:GetObjectVersion",
        Method::GET | Method::HEAD => "s3:GetObject",
        Method::DELETE if asks("uploadId") => "s3:AbortMultipartUpload",
        Method::DELETE if asks("versionId") => "s3:DeleteObjectVersion",
        Method::DELETE => "s3:DeleteObject",
        Method::PUT | Method::POST => "s3:PutObject",
        _ => "s3:Unknown",
    };
    Need::new(action, object)
}
