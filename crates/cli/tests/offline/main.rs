//! The program without a cluster: its output, on which stream, and its exit codes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

mod aws;
mod credentials;
mod first_errors;
mod krew;
mod readme;
mod run;
#[path = "../cluster/schema.rs"]
mod schema;
mod transcript;
mod vault;

use run::Place;
use transcript::transcript;

#[test]
fn wrong_command_lines_are_refused_with_what_is_right() {
    let place = Place::new();
    for (name, line) in [
        ("nothing", ""),
        ("unknown_command", "restroe"),
        ("unknown_option", "keys generate --oot x"),
        ("missing_option", "keys generate"),
        ("unknown_code", "explain LB-9999"),
        ("unknown_format", "points -o xml"),
        ("as_json", "keys generate -o json --nonsense"),
    ] {
        insta::assert_snapshot!(format!("usage_{name}"), transcript(&place, line));
    }
}

#[test]
fn keys_are_made_once_and_never_overwritten() {
    let place = Place::new();
    insta::assert_snapshot!("keys_made", transcript(&place, "keys generate --out keys"));
    let before = fs::read(place.path().join("keys/recovery.key.pem")).unwrap();
    insta::assert_snapshot!("keys_exist", transcript(&place, "keys generate --out keys"));
    assert_eq!(
        fs::read(place.path().join("keys/recovery.key.pem")).unwrap(),
        before
    );
    insta::assert_snapshot!(
        "keys_json",
        transcript(&place, "keys generate --out more -o json")
    );
}

#[test]
fn an_explanation_says_what_happened_and_what_to_do() {
    let place = Place::new();
    insta::assert_snapshot!("explain_one", transcript(&place, "explain lb-0305"));
    insta::assert_snapshot!("explain_yaml", transcript(&place, "explain LB-0305 -o yaml"));
    let all = place.run("explain");
    assert!(all.status.success() && String::from_utf8_lossy(&all.stdout).lines().count() > 40);
}

#[test]
fn completions_exist_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = place.run(&format!("completions {shell}"));
        assert!(output.status.success(), "{shell}");
        assert!(
            String::from_utf8(output.stdout).unwrap().contains("generate"),
            "{shell}"
        );
    }
}

#[test]
fn help_is_on_standard_output_and_not_an_error() {
    let place = Place::new();
    insta::assert_snapshot!("help", transcript(&place, "--help"));
    assert!(place.run("--version").stdout.starts_with(b"lifeboat "));
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let place = Place::new();
    let mut command = place.command(&["explain", "-o", "json"]);
    command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(8));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("failed to write to standard output"), "{text}");
}

#[test]
fn kubectl_finds_the_same_program_under_its_second_name() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-lifeboat"))
        .args(["explain", "LB-9999"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-lifeboat"))
        .arg("--help")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("Usage: kubectl lifeboat"));
}

/// Creates a folder with keys and an empty store.
fn prepared() -> Place {
    let place = Place::new();
    assert!(place.run("keys generate --out keys").status.success());
    fs::create_dir(place.path().join("points")).unwrap();
    place
}

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: nobody
clusters:
- name: nobody
  cluster: {server: 'https://127.0.0.1:1'}
contexts:
- name: nobody
  context: {cluster: nobody, user: me}
users:
- name: me
  user: {token: canary-token}
";

const BACKUP: &str = "backup --progress never --store points --recovery-public-key keys/recovery.pub.pem \
    --signing-key keys/signing.key.pem";

const READ: &str = "--progress never --store points --verify-key keys/signing.pub.pem";

#[test]
fn a_cluster_that_cannot_be_used_is_told_apart() {
    let place = prepared();
    insta::assert_snapshot!("no_kubeconfig", transcript(&place, BACKUP));
    fs::write(place.path().join("config"), KUBECONFIG).unwrap();
    let backup = format!("{BACKUP} --kubeconfig config");
    insta::assert_snapshot!(
        "unknown_context",
        transcript(&place, &format!("{backup} --context other"))
    );
    insta::assert_snapshot!("unreachable", transcript(&place, &backup));
    fs::write(place.path().join("config"), "clusters: 7\ncanary").unwrap();
    insta::assert_snapshot!("broken_kubeconfig", transcript(&place, &backup));
    let points = place.run(&format!("points {READ}"));
    assert_eq!(points.stdout, b"no recovery points of application default\n");
}

#[test]
fn the_wrong_key_is_named_with_the_right_one() {
    let place = prepared();
    let backup = "backup --progress never --store points";
    for (name, line) in [
        (
            "private_half_for_backup",
            format!(
                "{backup} --recovery-public-key keys/recovery.key.pem --signing-key keys/signing.key.pem"
            ),
        ),
        (
            "public_half_for_signing",
            format!(
                "{backup} --recovery-public-key keys/recovery.pub.pem --signing-key keys/signing.pub.pem"
            ),
        ),
        (
            "keys_swapped",
            format!("{backup} --recovery-public-key keys/signing.pub.pem --signing-key keys/signing.key.pem"),
        ),
        (
            "no_key_file",
            format!("verify latest {READ} --recovery-key nothing.pem"),
        ),
        (
            "public_half_for_reading",
            format!("verify latest {READ} --recovery-key keys/recovery.pub.pem"),
        ),
    ] {
        insta::assert_snapshot!(format!("key_{name}"), transcript(&place, &line));
    }
}

#[test]
fn stores_and_points_that_are_not_there_are_named() {
    let place = prepared();
    insta::assert_snapshot!("no_points", transcript(&place, &format!("points {READ}")));
    insta::assert_snapshot!(
        "no_points_json",
        transcript(&place, &format!("points {READ} -o json"))
    );
    insta::assert_snapshot!("unknown_point", transcript(&place, &format!("show 2026 {READ}")));
    insta::assert_snapshot!(
        "missing_store",
        transcript(
            &place,
            "points --progress never --store nowhere --verify-key keys/signing.pub.pem"
        )
    );
    insta::assert_snapshot!(
        "missing_parent_of_store",
        transcript(&place, &BACKUP.replace("--store points", "--store no/where"))
    );
}

#[test]
fn wishes_are_checked_before_anything_is_read() {
    let place = prepared();
    fs::write(place.path().join("config"), KUBECONFIG).unwrap();
    let restore = format!("restore latest {READ} --recovery-key keys/recovery.key.pem --kubeconfig config");
    fs::write(
        place.path().join("patches.yaml"),
        "format: lifeboat.dev/patches/v1\npatches:\n- when: {kinds: [Secret]}\n",
    )
    .unwrap();
    for (name, extra) in [
        ("namespace_twice", "--map-namespace a=b --map-namespace a=c"),
        ("namespace_pair", "--map-namespace a"),
        ("broken_patches", "--patches patches.yaml"),
        ("missing_patches", "--patches nothing.yaml"),
        ("existing", "--existing overwrite"),
        ("selector", "-l a=b=c"),
    ] {
        insta::assert_snapshot!(
            format!("wish_{name}"),
            transcript(&place, &format!("{restore} {extra}"))
        );
    }
}

#[test]
fn every_schema_is_a_json_schema() {
    let place = Place::new();
    for name in [
        "manifest",
        "report",
        "plan",
        "patches",
        "identities",
        "backup",
        "points",
        "show",
        "verify",
        "diff",
        "keys",
        "explanations",
        "application",
        "options",
        "request",
        "answer",
        "deploy",
        "problem",
    ] {
        let output = place.run(&format!("schema {name}"));
        let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(
            schema["$schema"].is_string() && (schema["type"] == "object" || schema["oneOf"].is_array()),
            "{name}: {schema}"
        );
    }
}

/// The former option name `--recovery-key` of a backup must still be accepted.
#[test]
fn the_former_name_of_the_public_half_is_taken() {
    let place = prepared();
    let line = BACKUP.replace("--recovery-public-key", "--recovery-key");
    let output = place.run(&line);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("LB-0101"),
        "the keys are read before the kubeconfig: {text}"
    );
}

#[test]
fn aws_is_not_asked_before_everything_local_is_right() {
    let place = Place::new();
    insta::assert_snapshot!(
        "deploy_no_document",
        transcript(&place, "deploy application shop.yaml")
    );
    fs::write(
        place.path().join("shop.yaml"),
        "format: 1\nname: shop\nprimary: {account: '1', region: moon}\nrecovery: {account: '222222222222', region: eu-central-1}\n",
    )
    .unwrap();
    insta::assert_snapshot!(
        "deploy_wrong_document",
        transcript(&place, "deploy application shop.yaml")
    );
    insta::assert_snapshot!("aws_no_region", transcript(&place, "status"));
}
