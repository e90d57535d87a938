#![expect(clippy::unwrap_used, reason = "a test may panic")]

use http::Request;

use super::*;
use crate::aws::gateway::wire::form;

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn scope(service: &str) -> Scope {
    Scope {
        access_key_id: "FKIA1".into(),
        region: "eu-west-1".into(),
        service: service.into(),
    }
}

fn asked(service: &str, parts: &Parts, body: &str) -> Vec<(String, String)> {
    needs(&scope(service), "111111111111", parts, body.as_bytes())
        .into_iter()
        .map(|need| (need.action, need.resource))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(action, resource)| ((*action).to_owned(), (*resource).to_owned()))
        .collect()
}

#[test]
fn both_forms_of_a_signature_name_their_scope() {
    let header = "AWS4-HMAC-SHA256 Credential=FKIA1/20261121/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=x";
    assert_eq!(
        Scope::of(&parts("GET", "/", &[("authorization", header)])),
        Some(scope("s3"))
    );
    let presigned =
        "/?Action=GetCallerIdentity&X-Amz-Credential=FKIA1%2F20261121%2Feu-west-1%2Fsts%2Faws4_request";
    assert_eq!(Scope::of(&parts("GET", presigned, &[])), Some(scope("sts")));
    assert_eq!(Scope::of(&parts("GET", "/bucket/key", &[])), None);
}

#[test]
fn s3_is_read_from_method_path_and_parameters() {
    for (method, uri, expected) in [
        ("GET", "/", ("s3:ListAllMyBuckets", "*")),
        (
            "GET",
            "/b?list-type=2&prefix=x",
            ("s3:ListBucket", "arn:aws:s3:::b"),
        ),
        ("HEAD", "/b", ("s3:ListBucket", "arn:aws:s3:::b")),
        ("PUT", "/b", ("s3:CreateBucket", "arn:aws:s3:::b")),
        (
            "PUT",
            "/b/?versioning",
            ("s3:PutBucketVersioning", "arn:aws:s3:::b"),
        ),
        ("DELETE", "/b?policy", ("s3:DeleteBucketPolicy", "arn:aws:s3:::b")),
        (
            "DELETE",
            "/b?lifecycle",
            ("s3:PutLifecycleConfiguration", "arn:aws:s3:::b"),
        ),
        (
            "GET",
            "/b/a%20b/c?x-id=GetObject",
            ("s3:GetObject", "arn:aws:s3:::b/a b/c"),
        ),
        ("HEAD", "/b/k", ("s3:GetObject", "arn:aws:s3:::b/k")),
        (
            "GET",
            "/b/k?versionId=1",
            ("s3:GetObjectVersion", "arn:aws:s3:::b/k"),
        ),
        (
            "PUT",
            "/b/k?partNumber=1&uploadId=u",
            ("s3:PutObject", "arn:aws:s3:::b/k"),
        ),
        (
            "DELETE",
            "/b/k?uploadId=u",
            ("s3:AbortMultipartUpload", "arn:aws:s3:::b/k"),
        ),
        ("POST", "/b?delete", ("s3:DeleteObject", "arn:aws:s3:::b/*")),
    ] {
        assert_eq!(
            asked("s3", &parts(method, uri, &[]), ""),
            pairs(&[expected]),
            "{method} {uri}"
        );
    }
}

#[test]
fn a_copy_needs_to_read_its_source() {
    let copy = parts(
        "PUT",
        "/b/k",
        &[("x-amz-copy-source", "/other/a%2Fb?versionId=1")],
    );
    assert_eq!(
        asked("s3", &copy, ""),
        pairs(&[
            ("s3:PutObject", "arn:aws:s3:::b/k"),
            ("s3:GetObject", "arn:aws:s3:::other/a/b"),
        ])
    );
}

#[test]
fn a_template_is_read_by_its_address_with_the_permissions_of_the_caller() {
    let post = parts("POST", "/", &[]);
    for url in [
        "https://b.s3.eu-west-1.amazonaws.com/templates/a%20b.json",
        "https://s3.eu-west-1.amazonaws.com/b/templates/a%20b.json",
        "http://127.0.0.1:4566/b/templates/a%20b.json?versionId=1",
    ] {
        let form = form(&[
            ("Action", "CreateChangeSet"),
            ("StackName", "shop"),
            ("TemplateURL", url),
        ]);
        assert_eq!(
            asked("cloudformation", &post, &form),
            pairs(&[
                (
                    "cloudformation:CreateChangeSet",
                    "arn:aws:cloudformation:eu-west-1:111111111111:stack/shop/*"
                ),
                ("s3:GetObject", "arn:aws:s3:::b/templates/a b.json"),
            ]),
            "{url}"
        );
    }
}

#[test]
fn services_with_json_or_forms_say_what_they_do() {
    let decrypt = parts("POST", "/", &[("x-amz-target", "TrentService.Decrypt")]);
    assert_eq!(
        asked("kms", &decrypt, r#"{"KeyId":"1234"}"#),
        pairs(&[("kms:Decrypt", "arn:aws:kms:eu-west-1:111111111111:key/1234")])
    );
    let form = "Action=DescribeStacks&Version=2010-05-15&StackName=lifeboat";
    assert_eq!(
        asked("cloudformation", &parts("POST", "/", &[]), form),
        pairs(&[(
            "cloudformation:DescribeStacks",
            "arn:aws:cloudformation:eu-west-1:111111111111:stack/lifeboat/*"
        )])
    );
    let cbor = parts(
        "POST",
        "/service/GraniteServiceVersion20100801/operation/PutMetricData",
        &[],
    );
    assert_eq!(
        asked("monitoring", &cbor, ""),
        pairs(&[("cloudwatch:PutMetricData", "*")])
    );
}

#[test]
fn eks_and_lambda_are_read_from_their_paths() {
    let principal = "arn:aws:iam::111111111111:role%2FLifeboat";
    let uri = format!("/clusters/prod/access-entries/{principal}/access-policies");
    let asked_parts = parts("POST", &uri, &[]);
    assert_eq!(
        asked("eks", &asked_parts, ""),
        pairs(&[(
            "eks:AssociateAccessPolicy",
            "arn:aws:eks:eu-west-1:111111111111:cluster/prod"
        )])
    );
    assert_eq!(
        eks_operation(&asked_parts).principal.as_deref(),
        Some("arn:aws:iam::111111111111:role/Lifeboat")
    );
    assert_eq!(
        asked("eks", &parts("GET", "/clusters?maxResults=100", &[]), ""),
        pairs(&[("eks:ListClusters", "*")])
    );
    assert_eq!(
        asked(
            "lambda",
            &parts("POST", "/2015-03-31/functions/f/invocations", &[]),
            ""
        ),
        pairs(&[(
            "lambda:InvokeFunction",
            "arn:aws:lambda:eu-west-1:111111111111:function:f"
        )])
    );
    assert_eq!(
        asked("eks", &parts("PATCH", "/clusters/x", &[]), ""),
        pairs(&[("eks:Unknown", "arn:aws:eks:eu-west-1:111111111111:cluster/x")])
    );
}

#[test]
fn efs_is_read_from_method_path_and_parameters() {
    let arn = |resource: &str| format!("arn:aws:elasticfilesystem:eu-west-1:111111111111:{resource}");
    for (method, uri, operation, resource) in [
        (
            "POST",
            "/2015-02-01/file-systems",
            "CreateFileSystem",
            "*".to_owned(),
        ),
        (
            "GET",
            "/2015-02-01/file-systems?FileSystemId=fs-1",
            "DescribeFileSystems",
            arn("file-system/fs-1"),
        ),
        (
            "GET",
            "/2015-02-01/file-systems/fs-1/policy",
            "DescribeFileSystemPolicy",
            arn("file-system/fs-1"),
        ),
        (
            "GET",
            "/2015-02-01/access-points?AccessPointId=fsap-1",
            "DescribeAccessPoints",
            arn("access-point/fsap-1"),
        ),
        (
            "GET",
            "/2015-02-01/mount-targets/fsmt-1/security-groups",
            "DescribeMountTargetSecurityGroups",
            arn("file-system/*"),
        ),
        ("PATCH", "/2015-02-01/file-systems", "Unknown", "*".to_owned()),
    ] {
        let expected = vec![(format!("elasticfilesystem:{operation}"), resource)];
        assert_eq!(
            asked("elasticfilesystem", &parts(method, uri, &[]), ""),
            expected,
            "{method} {uri}"
        );
    }
}

#[test]
fn a_service_role_is_passed_to_cloudformation() {
    let role = "arn:aws:iam::111111111111:role/Stacks";
    let request = parts("POST", "/", &[]);
    let body = form(&[
        ("Action", "CreateChangeSet"),
        ("StackName", "s"),
        ("RoleARN", role),
    ]);
    let found = needs(
        &scope("cloudformation"),
        "111111111111",
        &request,
        body.as_bytes(),
    );
    let [change, pass] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(change.action, "cloudformation:CreateChangeSet");
    assert_eq!(change.conditions, [("cloudformation:RoleArn", role.to_owned())]);
    assert_eq!((&*pass.action, &*pass.resource), ("iam:PassRole", role));
    let to = ("iam:PassedToService", "cloudformation.amazonaws.com".to_owned());
    assert_eq!(pass.conditions, [to]);

    let without = form(&[("Action", "DeleteStack"), ("StackName", "s")]);
    let found = needs(
        &scope("cloudformation"),
        "111111111111",
        &request,
        without.as_bytes(),
    );
    assert!(found.len() == 1 && found[0].conditions.is_empty(), "{found:?}");
}
