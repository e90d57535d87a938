//! For every command, the first mistake that a user can make is reported with a command line that works.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::fs;

use lifeboat_cli::arguments::{self, Parsed};

use crate::run::Place;
use crate::{BACKUP, KUBECONFIG, READ, prepared};

/// Returns the command lines of the program that a text quotes.
fn quoted(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2);
    spans
        .filter(|span| span.starts_with("lifeboat "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_command_without_its_options_shows_one_that_has_them() {
    let definition = arguments::definition();
    let mut unread = vec![(&definition, vec!["lifeboat".to_owned()])];
    let mut seen = 0;
    while let Some((command, path)) = unread.pop() {
        for inner in command
            .get_subcommands()
            .filter(|inner| inner.get_name() != "help")
        {
            unread.push((inner, [path.clone(), vec![inner.get_name().to_owned()]].concat()));
        }
        if command.has_subcommands() {
            continue;
        }
        let line: Vec<OsString> = path.iter().map(OsString::from).collect();
        let Err(failure) = arguments::parse(line) else {
            continue;
        };
        let problem = failure.problem();
        let examples = quoted(&problem.guidance);
        assert!(!examples.is_empty(), "{path:?}: {}", problem.guidance);
        for example in &examples {
            // Only the part that reaches the program, without pipes and redirections.
            let line = example.split(['|', '>']).next().unwrap();
            let words = line.split_whitespace().map(OsString::from).collect();
            assert!(
                matches!(arguments::parse(words), Ok(Parsed::Command(_))),
                "{path:?}: {example}"
            );
        }
        assert!(
            examples[0].starts_with(&path.join(" ")),
            "{path:?}: {}",
            examples[0]
        );
        let wants_keys = problem.message.contains("-key <") && path[1] != "deploy";
        assert_eq!(
            wants_keys,
            path[1] != "keys" && problem.guidance.contains("`lifeboat keys generate"),
            "{path:?}"
        );
        seen += 1;
    }
    assert!(seen > 10, "only {seen} commands need an option");
}

#[test]
fn what_is_missing_on_the_first_try_is_named_with_what_makes_it() {
    let place = prepared();
    fs::write(place.path().join("config"), KUBECONFIG).unwrap();
    let key = "--recovery-key keys/recovery.key.pem";
    let store = "--store nowhere --verify-key keys/signing.pub.pem";
    for (line, code, says) in [
        (BACKUP.to_owned(), "LB-0101", "aws eks update-kubeconfig"),
        (
            format!("{BACKUP} --kubeconfig config --context x"),
            "LB-0102",
            "kubectl config get-contexts",
        ),
        (
            BACKUP.replace("keys/signing.key", "keys/no"),
            "LB-0401",
            "lifeboat keys generate",
        ),
        (
            format!("points {store}"),
            "LB-0301",
            "lifeboat backup --store nowhere",
        ),
        (
            format!("show latest {store}"),
            "LB-0301",
            "lifeboat backup --store nowhere",
        ),
        (format!("verify latest {READ}"), "LB-0501", "lifeboat backup"),
        (
            format!("cat latest configmap a {READ} {key}"),
            "LB-0501",
            "lifeboat backup",
        ),
        (
            format!("diff 2026 latest {READ} {key}"),
            "LB-0501",
            "lifeboat points",
        ),
        ("keys".to_owned(), "LB-0010", "`lifeboat keys --help`"),
        (
            "deploy application shop.yaml".to_owned(),
            "LB-0011",
            "lifeboat deploy primary",
        ),
        (
            "application put shop.yaml".to_owned(),
            "LB-0011",
            "lifeboat deploy primary",
        ),
        ("deploy recovery".to_owned(), "LB-1001", "--region"),
        ("application list".to_owned(), "LB-1001", "--region"),
        ("infrastructure describe orders".to_owned(), "LB-1001", "--region"),
        ("explain LB-9999".to_owned(), "LB-0010", "lifeboat explain"),
        ("schema nonsense".to_owned(), "LB-0010", "--help"),
        ("completions tcsh".to_owned(), "LB-0010", "--help"),
    ] {
        let output = place.run(&line);
        let shown = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && output.stdout.is_empty(),
            "{line}: {shown}"
        );
        assert!(shown.contains(code), "{line}: {shown}");
        let fix = shown.lines().last().unwrap();
        assert!(fix.contains(says), "{line}: {shown}");
    }
}

#[test]
fn the_version_names_the_commit_and_the_formats() {
    let place = Place::new();
    let long = String::from_utf8(place.run("--version").stdout).unwrap();
    let lines: Vec<&str> = long.lines().collect();
    assert_eq!(lines[0], format!("lifeboat {}", env!("CARGO_PKG_VERSION")));
    let commit = lines[1].strip_prefix("commit: ").unwrap();
    assert!(
        commit == "unknown" || commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{long}"
    );
    let newest = lifeboat_format::manifest::FORMAT_VERSION;
    assert!(long.contains(&format!(
        "recovery points: writes format {newest}, reads formats 1 to {newest}\n"
    )));
    let short = String::from_utf8(place.run("-V").stdout).unwrap();
    assert_eq!(short.trim_end(), format!("{} ({commit})", lines[0]));
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    let output = place.run("man --out pages");
    assert!(output.status.success() && output.stdout.is_empty());
    for (page, says) in [
        ("lifeboat.1", "LIFEBOAT_STORE"),
        ("lifeboat-backup.1", "signing\\-key"),
        ("lifeboat-deploy-recovery.1", "public\\-key\\-out"),
    ] {
        let text = fs::read_to_string(place.path().join("pages").join(page)).unwrap();
        assert!(text.contains(says), "{page}");
    }
    let refused = place.run("man --out pages/lifeboat.1");
    assert_eq!(refused.status.code(), Some(8));
}
