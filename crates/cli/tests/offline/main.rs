//! The program without a cluster: what it says, where it says it, and how it exits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

mod run;

use run::Place;

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
        insta::assert_snapshot!(format!("usage_{name}"), place.transcript(line));
    }
}

#[test]
fn keys_are_made_once_and_never_overwritten() {
    let place = Place::new();
    insta::assert_snapshot!("keys_made", place.transcript("keys generate --out keys"));
    let before = fs::read(place.path().join("keys/recovery.key.pem")).unwrap();
    insta::assert_snapshot!("keys_exist", place.transcript("keys generate --out keys"));
    assert_eq!(
        fs::read(place.path().join("keys/recovery.key.pem")).unwrap(),
        before
    );
    insta::assert_snapshot!("keys_json", place.transcript("keys generate --out more -o json"));
}

#[test]
fn an_explanation_says_what_happened_and_what_to_do() {
    let place = Place::new();
    insta::assert_snapshot!("explain_one", place.transcript("explain lb-0305"));
    insta::assert_snapshot!("explain_yaml", place.transcript("explain LB-0305 -o yaml"));
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
    insta::assert_snapshot!("help", place.transcript("--help"));
    assert!(place.run("--version").stdout.starts_with(b"lifeboat "));
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
