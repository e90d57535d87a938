//! Writes the fixture of the current format version: `cargo run -p lifeboat-format --example fixture FOLDER`.
//! A fixture that is in the repository is never regenerated: it shows that recovery points of its version can
//! still be read.
#![expect(clippy::unwrap_used, reason = "a program for developers stops where it fails")]

use std::path::PathBuf;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use lifeboat_format::manifest::{
    ClusterRecord, Completeness, Envelope, FORMAT_VERSION, InfrastructureRecord, PackRecord, Predicate,
    ResourceRecord, ServerRecord, Statement, Tool, TypeOutcome, TypeRecord, UnreadRecord, WrappedFor,
    WrappedKeyRecord, check_structure, pae, payload,
};
use lifeboat_format::{
    Batch, BatchBuilder, Compressor, DataKey, Fingerprint, IndexBuilder, PackIdentity, PackKind, PackWriter,
    VerifyingKey, WrapAlgorithm,
};
use lifeboat_model::{
    AccountId, ApplicationName, ClusterName, Filter, PackName, RecoveryPointId, Region, TypeName,
};

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("the first argument is a folder"));
    std::fs::create_dir_all(folder.join("primary")).unwrap();
    let point = RecoveryPointId::parse("20261121T112233Z-7f3a9c").unwrap();
    let key = DataKey::from_random(std::array::from_fn(|i| i as u8));
    let (objects, index) = (
        PackName::parse("primary/p-0000.pack").unwrap(),
        PackName::parse("primary/i-0000.pack").unwrap(),
    );
    let application = ApplicationName::parse("shop").unwrap();
    let cluster = ClusterName::parse("primary").unwrap();
    let writer = |kind, name: &PackName| {
        let identity = PackIdentity {
            application: &application,
            cluster: Some(&cluster),
            point: &point,
            name,
        };
        PackWriter::new(kind, &key, identity).unwrap()
    };
    let mut compressor = Compressor::new().unwrap();
    let mut pack = writer(PackKind::Objects, &objects);
    let mut lines = IndexBuilder::new();
    let mut file = Vec::new();
    let mut raw_bytes = 0;
    let mut types = Vec::new();
    for (version, kind, name, items) in ITEMS {
        let mut builder = BatchBuilder::new(version, kind, TypeName::from(*name));
        for item in *items {
            builder.push(item.as_bytes()).unwrap();
        }
        let batch = builder.finish(&mut compressor).unwrap();
        raw_bytes += batch.raw_bytes;
        types.push(type_record(version, kind, &batch));
        let place = pack.append(&batch.compressed, &mut file).unwrap();
        lines.add(&objects, place, &batch);
    }
    let objects = PackRecord::new(
        objects,
        PackKind::Objects,
        "k-0",
        &pack.finish(&mut file).unwrap(),
    );
    std::fs::write(folder.join(objects.name.as_str()), file).unwrap();

    let mut file = Vec::new();
    let mut pack = writer(PackKind::Index, &index);
    pack.append(&lines.finish(&mut compressor).unwrap(), &mut file)
        .unwrap();
    let index = PackRecord::new(index, PackKind::Index, "k-0", &pack.finish(&mut file).unwrap());
    std::fs::write(folder.join(index.name.as_str()), file).unwrap();

    let descriptions = PackName::parse("_infrastructure/d-0001.pack").unwrap();
    let identity = PackIdentity {
        application: &application,
        cluster: None,
        point: &point,
        name: &descriptions,
    };
    let mut file = Vec::new();
    let mut pack = PackWriter::new(PackKind::Descriptions, &key, identity).unwrap();
    pack.append(&compressor.compress(DESCRIPTIONS.as_bytes()).unwrap(), &mut file)
        .unwrap();
    let descriptions = PackRecord::new(
        descriptions,
        PackKind::Descriptions,
        "k-infrastructure",
        &pack.finish(&mut file).unwrap(),
    );
    std::fs::create_dir_all(folder.join("_infrastructure")).unwrap();
    std::fs::write(folder.join(descriptions.name.as_str()), file).unwrap();

    let time = "2026-11-21T11:22:33Z".parse().unwrap();
    let predicate = Predicate {
        format_version: FORMAT_VERSION,
        application: application.clone(),
        point: point.clone(),
        created_at: time,
        tool: Tool {
            name: "lifeboat".into(),
            version: env!("CARGO_PKG_VERSION").into(),
        },
        completeness: Completeness::Complete,
        keys: vec![
            wrapped("k-0", &application, Some(&cluster)),
            wrapped("k-infrastructure", &application, None),
        ],
        clusters: vec![ClusterRecord {
            name: cluster.clone(),
            server: ServerRecord {
                kube_system_uid: None,
                version: "v1.36.3".into(),
                platform: "linux/arm64".into(),
            },
            resource_version: Some("4711".into()),
            started_at: time,
            finished_at: time,
            filters: Filter::default(),
            objects: ITEMS.iter().map(|(.., items)| items.len() as u64).sum(),
            bytes: raw_bytes,
            types,
            missing: Vec::new(),
            packs: vec![objects, index],
            dependencies: [("images".to_owned(), vec!["example.org/cart:1".to_owned()])].into(),
        }],
        infrastructure: Some(InfrastructureRecord {
            account: AccountId::parse("111111111111").unwrap(),
            region: Region::parse("eu-west-1").unwrap(),
            described_at: time,
            resources: vec![ResourceRecord {
                r#type: "AWS::EC2::VPC".into(),
                id: "vpc-0123456789abcdef0".into(),
            }],
            missing: Vec::new(),
            absent: vec![UnreadRecord {
                resource: "arn:aws:iam::111111111111:role/former".into(),
                call: "iam:GetRole".into(),
                code: "NoSuchEntity".into(),
            }],
            pack: Some(descriptions),
        }),
    };
    let statement = Statement::new(predicate);
    check_structure(&statement).unwrap();
    let payload = payload(&statement);
    let signer = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let signature = signer.sign(&SystemRandom::new(), &pae(&payload)).unwrap();
    let public = VerifyingKey::from_point(signer.public_key().as_ref()).unwrap();
    let envelope = Envelope::new(&payload, &public, signature.as_ref());
    std::fs::write(folder.join("manifest.json"), envelope.to_bytes()).unwrap();
    std::fs::write(folder.join("signer.pem"), public.to_pem()).unwrap();
}

fn wrapped(id: &str, application: &ApplicationName, cluster: Option<&ClusterName>) -> WrappedKeyRecord {
    WrappedKeyRecord {
        id: id.into(),
        application: Some(application.clone()),
        cluster: cluster.cloned(),
        recipients: vec![WrappedFor {
            recipient: Fingerprint::of_spki(b"no key: the data key of the fixture is 00 01 02 ... 1f"),
            algorithm: WrapAlgorithm::RsaOaepSha256,
            wrapped: Vec::new(),
        }],
    }
}

const DESCRIPTIONS: &str = concat!(
    r#"{"format":"lifeboat.dev/aws-descriptions/v1","account":"111111111111","region":"eu-west-1","#,
    r#""vpcs":[{"vpcId":"vpc-0123456789abcdef0","cidrBlock":"10.0.0.0/16"}]}"#,
    "\n"
);

type Items = (&'static str, &'static str, &'static str, &'static [&'static str]);

const ITEMS: &[Items] = &[
    (
        "v1",
        "ConfigMap",
        "configmaps",
        &[
            r#"{"metadata":{"name":"greeting","namespace":"shop","uid":"b0e7a1c2-0001","resourceVersion":"17"},"data":{"text":"Grüße, \"Welt\"\n"}}"#,
            r#"{"metadata":{"name":"odd","namespace":"shop","uid":"b0e7a1c2-0002","resourceVersion":"18"},"data":{"braces":"}]{[\\"}}"#,
        ],
    ),
    (
        "example.org/v1",
        "Widget",
        "widgets.example.org",
        &[
            r#"{"apiVersion":"example.org/v1","kind":"Widget","metadata":{"name":"big","uid":"b0e7a1c2-0003","resourceVersion":"19"},"spec":{"big":123456789012345678901234567890,"ratio":1.10}}"#,
        ],
    ),
];

fn type_record(version: &str, kind: &str, batch: &Batch) -> TypeRecord {
    let name = &batch.type_name;
    TypeRecord {
        group: name.group().to_owned(),
        version: version.rsplit('/').next().unwrap().to_owned(),
        resource: name.resource().to_owned(),
        kind: kind.to_owned(),
        namespaced: kind == "ConfigMap",
        short_names: Vec::new(),
        singular: kind.to_lowercase(),
        verbs: vec!["create".into(), "list".into()],
        served_versions: vec!["v1".into()],
        custom: kind == "Widget",
        outcome: TypeOutcome::Listed {
            resource_version: Some("4711".into()),
            pinned: true,
            why: None,
            objects: batch.entries.len() as u64,
            bytes: batch.raw_bytes,
        },
    }
}
