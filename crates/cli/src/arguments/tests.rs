#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use lifeboat_model::Code;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

#[test]
fn the_definition_is_consistent() {
    definition().debug_assert();
}

#[test]
fn the_output_format_is_known_even_when_the_rest_is_wrong() {
    for (line, format) in [
        ("lifeboat points", OutputFormat::Table),
        ("lifeboat points -o json --nonsense", OutputFormat::Json),
        ("lifeboat --output=yaml nonsense", OutputFormat::Yaml),
        ("lifeboat points -ojson", OutputFormat::Json),
        ("lifeboat points --output wrong", OutputFormat::Table),
        ("lifeboat cat -- -o json", OutputFormat::Table),
    ] {
        assert_eq!(output_format(&words(line)), format, "{line}");
    }
}

#[test]
fn a_wrong_command_line_says_what_was_wrong_and_how_it_is_right() {
    let failure = parse(words("lifeboat keys generate --oot keys")).unwrap_err();
    assert_eq!(failure.problem().code, Code::Usage);
    assert_eq!(failure.problem().message, "unexpected argument '--oot' found");
    assert!(failure.problem().guidance.contains("--out"), "{failure}");
}

#[test]
fn an_option_of_other_commands_is_answered_with_their_names() {
    let failure = parse(words("lifeboat show latest --store points --recovery-key x")).unwrap_err();
    let guidance = &failure.problem().guidance;
    assert!(
        guidance.starts_with("--recovery-key is an option of ") && guidance.contains("`lifeboat cat`"),
        "{failure}"
    );
    assert!(!guidance.contains("as a value"), "{failure}");
}

#[test]
fn every_command_ends_its_help_with_an_example_and_its_exit_codes() {
    fn check(command: &clap::Command, path: &str) {
        for inner in command.get_subcommands().filter(|c| c.get_name() != "help") {
            let path = format!("{path} {}", inner.get_name());
            if inner.has_subcommands() {
                check(inner, &path);
                continue;
            }
            let after = inner
                .get_after_long_help()
                .unwrap_or_else(|| panic!("{path} has no example"))
                .to_string();
            assert!(after.contains(&path), "the example of {path} calls it");
            assert!(after.contains("Exit codes:"), "{path} tells its exit codes");
            for line in after.lines() {
                assert!(
                    line.len() <= 96,
                    "{path}: a terminal of 100 columns breaks {line:?}"
                );
            }
        }
    }
    check(&definition(), "lifeboat");
}

#[test]
fn called_as_a_plugin_the_usage_names_kubectl() {
    let Parsed::Text(help) = parse(words("/usr/local/bin/kubectl-lifeboat --help")).unwrap() else {
        panic!("help is a text");
    };
    assert!(help.contains("Usage: kubectl lifeboat"), "{help}");
}

#[test]
fn a_backup_takes_several_recovery_keys() {
    let line =
        "lifeboat backup --store points --signing-key s --recovery-public-key a --recovery-public-key b";
    let Parsed::Command(parsed) = parse(words(line)).unwrap() else {
        panic!("backup is a command");
    };
    let Command::Backup(backup) = parsed.command else {
        panic!("backup is a command");
    };
    assert_eq!(backup.keys.recovery_public_key, ["a", "b"].map(PathBuf::from));
}
