//! A statement with every field set, for tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lifeboat_model::{AccountId, Region};

use super::*;
use crate::keys::{Fingerprint, WrapAlgorithm};

pub(crate) fn pack(name: &str, kind: PackRecordKind) -> PackRecord {
    PackRecord {
        name: PackName::parse(name).unwrap(),
        kind,
        key: "k-0".into(),
        sha256: Sha256::of(name.as_bytes()),
        bytes: 1000,
        frames: 3,
        point: None,
        version: None,
    }
}

pub(crate) fn type_record(group: &str, resource: &str, outcome: TypeOutcome) -> TypeRecord {
    TypeRecord {
        group: group.into(),
        version: "v1".into(),
        resource: resource.into(),
        kind: "Kind".into(),
        namespaced: true,
        short_names: vec!["k".into()],
        singular: "kind".into(),
        verbs: vec!["create".into(), "list".into()],
        served_versions: vec!["v1".into(), "v1beta1".into()],
        custom: false,
        outcome,
    }
}

pub(crate) fn missing(name: &str) -> MissingRecord {
    MissingRecord {
        r#type: Some(TypeName::from(name)),
        group: None,
        verb: "list".into(),
        answer: "403 Forbidden".into(),
        remediation: "grant list".into(),
    }
}

fn unread(resource: &str, code: &str) -> UnreadRecord {
    UnreadRecord {
        resource: resource.into(),
        call: "iam:GetRole".into(),
        code: code.into(),
    }
}

fn infrastructure() -> InfrastructureRecord {
    let mut pack = pack("_infrastructure/d-0001.pack", PackRecordKind::Descriptions);
    pack.key = "k-infrastructure".into();
    pack.frames = 2;
    let resource = |sort: &str, id: &str| ResourceRecord {
        r#type: sort.into(),
        id: id.into(),
    };
    InfrastructureRecord {
        account: AccountId::parse("111111111111").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        described_at: "2026-11-21T11:22:32.7Z".parse().unwrap(),
        resources: vec![
            resource(
                "AWS::EKS::Cluster",
                "arn:aws:eks:eu-west-1:111111111111:cluster/orders",
            ),
            resource("AWS::EC2::VPC", "vpc-0123456789abcdef0"),
        ],
        missing: vec![unread("arn:aws:iam::111111111111:role/nodes", "AccessDenied")],
        absent: vec![unread("arn:aws:iam::111111111111:role/former", "NoSuchEntity")],
        pack: Some(pack),
    }
}

pub(crate) fn predicate() -> Predicate {
    Predicate {
        format_version: FORMAT_VERSION,
        application: ApplicationName::parse("shop").unwrap(),
        point: RecoveryPointId::parse("20261121T112233Z-7f3a9c").unwrap(),
        created_at: "2026-11-21T11:22:33Z".parse().unwrap(),
        tool: Tool {
            name: "lifeboat".into(),
            version: "0.1.0".into(),
        },
        completeness: Completeness::Partial,
        keys: vec![
            WrappedKeyRecord {
                id: "k-0".into(),
                application: Some(ApplicationName::parse("shop").unwrap()),
                cluster: Some(ClusterName::parse("primary").unwrap()),
                recipients: vec![WrappedFor {
                    recipient: Fingerprint::of_spki(b"recovery key"),
                    algorithm: WrapAlgorithm::RsaOaepSha256,
                    wrapped: vec![1, 2, 3],
                }],
            },
            WrappedKeyRecord {
                id: "k-infrastructure".into(),
                application: Some(ApplicationName::parse("shop").unwrap()),
                cluster: None,
                recipients: vec![WrappedFor {
                    recipient: Fingerprint::of_spki(b"recovery key"),
                    algorithm: WrapAlgorithm::RsaOaepSha256,
                    wrapped: vec![4, 5, 6],
                }],
            },
        ],
        infrastructure: Some(infrastructure()),
        clusters: vec![ClusterRecord {
            name: ClusterName::parse("primary").unwrap(),
            server: ServerRecord {
                kube_system_uid: Some("0f8e".into()),
                version: "v1.36.3".into(),
                platform: "linux/amd64".into(),
            },
            resource_version: Some("4711".into()),
            started_at: "2026-11-21T11:22:30Z".parse().unwrap(),
            finished_at: "2026-11-21T11:22:32.5Z".parse().unwrap(),
            filters: Filter::default(),
            objects: 2,
            bytes: 900,
            types: vec![
                type_record(
                    "apps",
                    "deployments",
                    TypeOutcome::Listed {
                        resource_version: Some("4711".into()),
                        pinned: true,
                        why: None,
                        objects: 2,
                        bytes: 900,
                    },
                ),
                type_record(
                    "",
                    "secrets",
                    TypeOutcome::Failed {
                        verb: "list".into(),
                        status: Some(403),
                        reason: "Forbidden".into(),
                        message: "no".into(),
                        remediation: "grant list".into(),
                    },
                ),
                type_record(
                    "",
                    "leases",
                    TypeOutcome::Excluded {
                        why: "never stored".into(),
                    },
                ),
                type_record(
                    "",
                    "events",
                    TypeOutcome::SameAs {
                        r#type: TypeName::from("events.events.k8s.io"),
                    },
                ),
            ],
            missing: vec![missing("secrets")],
            packs: vec![
                pack("primary/p-0000.pack", PackRecordKind::Objects),
                pack("primary/i-0000.pack", PackRecordKind::Index),
            ],
            dependencies: BTreeMap::from([("images".into(), vec!["b".into(), "a".into(), "b".into()])]),
        }],
    }
}

pub(crate) fn statement() -> Statement {
    Statement::new(predicate())
}
