//! Progress on standard error: bars on a terminal, lines elsewhere. Standard output must contain only the document.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::{Command, Stdio};

use lifeboat_local::skip;
use serde_json::Value;

use crate::operator::Operator;
use crate::{APPLICATION, cluster};

/// The character that indicatif draws a bar with by default.
const BAR: char = '█';

/// The first character of every sequence that moves a terminal's cursor.
const ESCAPE: char = '\u{1b}';

#[test]
fn bars_are_drawn_on_a_terminal_and_lines_elsewhere() {
    let cluster = cluster("cli-progress");
    cluster.apply(APPLICATION).unwrap();
    let operator = Operator::new();
    let to = format!("--kubeconfig {} -o json", cluster.kubeconfig().display());
    let backup = format!("backup {to}");
    let restore = format!("restore latest {to} -n shop --map-namespace shop=copy");

    for (line, phases) in [
        (&backup, ["discovering types", "capturing", "sealing"]),
        (
            &restore,
            ["reading the point", "restoring", "verifying the target"],
        ),
    ] {
        let output = operator.lifeboat(line).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{line}: {err}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap();
        for phase in phases {
            assert!(
                err.lines().any(|text| text.starts_with(phase)),
                "no line of {phase}: {err}"
            );
        }
        assert!(!err.contains([BAR, ESCAPE, '\r']), "{err}");
    }

    if Command::new("script").arg("--version").output().is_err() {
        skip(
            "bars on a terminal",
            "there is no `script` (util-linux) to make one",
        );
        return;
    }
    let restore = restore.replace("shop=copy", "shop=other");
    for (line, phases) in [
        (&backup, ["discovering types", "capturing"]),
        (&restore, ["reading the point", "restoring"]),
    ] {
        let (answer, drawn) = on_a_terminal(&operator, line);
        serde_json::from_str::<Value>(&answer).unwrap();
        for phase in phases {
            assert!(drawn.contains(phase), "no bar of {phase}: {drawn}");
        }
        assert!(drawn.contains(ESCAPE), "{drawn}");
        // The number of objects in a backup is not known before, so a counter is shown instead of a bar.
        assert_eq!(drawn.contains(BAR), line.starts_with("restore"), "{drawn}");
        assert!(
            !drawn.contains("lifeboat.dev/"),
            "the answer is no progress: {drawn}"
        );

        let (answer, drawn) = on_a_terminal(&operator, &format!("{line} --progress never"));
        serde_json::from_str::<Value>(&answer).unwrap();
        assert_eq!(drawn, "", "{line}");
    }
}

/// Runs a command line whose standard error is a terminal, and returns its standard output and what was written to the
/// terminal.
fn on_a_terminal(operator: &Operator, line: &str) -> (String, String) {
    let known = operator.lifeboat(line);
    let mut words: Vec<String> = vec![known.get_program().to_str().unwrap().to_owned()];
    words.extend(known.get_args().map(|word| word.to_str().unwrap().to_owned()));
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command"])
        .arg(format!("{} >answer", quoted.join(" ")))
        .arg("/dev/null")
        .env_clear()
        .envs(known.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .current_dir(operator.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let drawn = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{line}: {drawn}");
    let answer = fs::read_to_string(operator.path().join("answer")).unwrap();
    (answer, drawn)
}
