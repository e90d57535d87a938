//! The repository's README, its reference page and the examples of the help: every command line, option, link, make
//! target and test that they name must exist.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use lifeboat_cli::arguments::{self, Parsed};

const README: &str = include_str!("../../../../README.md");
const REFERENCE: &str = include_str!("../../docs/reference.md");

/// Returns the command lines of the program in the README's console blocks, with continued lines joined.
fn command_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut console = false;
    let mut continued: Option<String> = None;
    for line in text.lines() {
        if let Some(language) = line.strip_prefix("```") {
            console = language == "console";
            assert_eq!(continued, None, "a block ends in the middle of a command");
            continue;
        }
        let begun = continued.take().or_else(|| {
            let shown = console && line.starts_with("$ ");
            shown.then(String::new)
        });
        let Some(mut whole) = begun else { continue };
        let line = line.strip_prefix("$ ").unwrap_or(line);
        let line = line.split(" # ").next().unwrap_or(line).trim();
        match line.strip_suffix('\\') {
            Some(part) => {
                whole.push_str(part);
                continued = Some(whole);
            }
            None => {
                whole.push_str(line);
                lines.push(whole);
            }
        }
    }
    lines.retain(|line| line.starts_with("lifeboat ") || line.starts_with("kubectl lifeboat "));
    lines
}

fn words(line: &str) -> Vec<OsString> {
    line.trim_start_matches("kubectl ")
        .split_whitespace()
        .map(OsString::from)
        .collect()
}

/// Returns the texts between single backticks, outside fenced blocks.
fn spans(text: &str) -> Vec<String> {
    let mut spans = Vec::new();
    for (at, part) in text.split("```").enumerate() {
        if at % 2 == 0 {
            let inner = part.split('`').enumerate();
            spans.extend(
                inner
                    .filter(|(at, _)| at % 2 == 1)
                    .map(|(_, span)| span.replace('\n', " ")),
            );
        }
    }
    spans
}

#[test]
fn every_command_line_of_the_readme_can_be_run_as_it_stands() {
    let lines = command_lines(README);
    assert!(lines.len() >= 4, "the README shows how to begin: {lines:?}");
    for line in lines {
        match arguments::parse(words(&line)) {
            Ok(Parsed::Command(_) | Parsed::Text(_)) => {}
            other => panic!("{line}: {other:?}"),
        }
    }
    let wrong =
        command_lines("```console\n$ lifeboat points \\\n    --nonsense x # a remark\n$ make demo\n```\n");
    assert_eq!(wrong, ["lifeboat points --nonsense x"]);
    arguments::parse(words(&wrong[0])).unwrap_err();
}

#[test]
fn every_example_of_the_help_can_be_run_as_it_stands() {
    let definition = arguments::definition();
    let mut unread = vec![&definition];
    let mut seen = 0;
    while let Some(command) = unread.pop() {
        unread.extend(command.get_subcommands());
        let Some(help) = command.get_after_long_help() else {
            continue;
        };
        // Examples are indented by two spaces and begin with the program's name, as in a console block.
        let console: Vec<String> = help
            .to_string()
            .lines()
            .map(|line| match line.strip_prefix("  ") {
                Some(example) if example.starts_with("lifeboat ") => format!("$ {example}"),
                _ => line.to_owned(),
            })
            .collect();
        let console = format!("```console\n{}\n```\n", console.join("\n"));
        for line in command_lines(&console) {
            // Only the part that reaches the program, without pipes and redirections.
            let line = line.split(['|', '>']).next().unwrap();
            if let Err(failure) = arguments::parse(words(line)) {
                panic!("{}: {line}: {failure}", command.get_name());
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} examples");
}

#[test]
fn every_command_option_and_variable_of_the_readme_exists() {
    let definition = arguments::definition();
    let mut options = BTreeSet::new();
    let mut variables = BTreeSet::new();
    let mut commands = BTreeSet::from(["help".to_owned()]);
    let mut unread = vec![&definition];
    while let Some(command) = unread.pop() {
        commands.insert(command.get_name().to_owned());
        unread.extend(command.get_subcommands());
        for argument in command.get_arguments() {
            options.extend(argument.get_long().map(str::to_owned));
            let aliases = argument.get_visible_aliases().unwrap_or_default();
            options.extend(aliases.into_iter().map(str::to_owned));
            variables.extend(argument.get_env().map(|name| name.to_str().unwrap().to_owned()));
        }
    }
    let mut seen = 0;
    for span in spans(README).into_iter().chain(spans(REFERENCE)) {
        let mut parts = span.split_whitespace();
        if parts.next() == Some("lifeboat")
            && let Some(command) = parts.next()
        {
            assert!(commands.contains(command), "`{span}`");
            seen += 1;
        }
        if let Some(option) = span.strip_prefix("--") {
            let name = option.split([' ', '=', '|']).next().unwrap();
            assert!(options.contains(name), "`{span}`");
            seen += 1;
        }
        if span.starts_with("LIFEBOAT_") {
            assert!(variables.contains(&span), "`{span}`");
            seen += 1;
        }
    }
    assert!(seen > 5, "the README names commands and options in its text");
}

#[test]
fn the_exit_codes_of_the_reference_are_those_of_the_help() {
    let numbers = |text: &str| -> BTreeSet<u8> {
        text.lines()
            .filter_map(|line| {
                line.trim_start_matches('|')
                    .split_whitespace()
                    .next()?
                    .parse()
                    .ok()
            })
            .collect()
    };
    let table = REFERENCE.split("## Exit codes").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let Ok(Parsed::Text(help)) = arguments::parse(words("lifeboat --help")) else {
        panic!("there is no help");
    };
    let list = help.split("Exit codes:").nth(1).unwrap();
    let list = list.split("\n\n").next().unwrap();
    assert!(numbers(list).contains(&130), "{list}");
    assert_eq!(numbers(table), numbers(list));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Returns the names of all tests: functions below an attribute that declares a test.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders: Vec<PathBuf> = ["crates", "infra", "tests"]
        .map(|folder| root().join(folder))
        .into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).unwrap();
                let mut is_test = false;
                for line in text.lines().map(str::trim) {
                    if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                        is_test = true;
                    } else if let Some(rest) = line.trim_start_matches("async ").strip_prefix("fn ")
                        && std::mem::take(&mut is_test)
                    {
                        names.extend(rest.split('(').next().map(str::to_owned));
                    }
                }
            }
        }
    }
    names
}

/// Returns the texts that look like the name of a test: words joined by underscores.
fn named_tests(text: &str) -> Vec<String> {
    let is_name = |span: &String| {
        span.contains('_')
            && span
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    spans(text).into_iter().filter(is_name).collect()
}

#[test]
fn every_guarantee_names_tests_that_exist() {
    let tests = tests();
    assert!(tests.contains("every_guarantee_names_tests_that_exist") && !tests.contains("named_tests"));
    let section = README.split("## Guarantees").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<&str> = section
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .collect();
    assert!(rows.len() >= 12, "{} guarantees", rows.len());
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let named = named_tests(last);
        assert!(!named.is_empty(), "no test holds: {row}");
        for name in named {
            assert!(tests.contains(&name), "there is no test {name}: {row}");
        }
    }
}

/// A filter that names no test would run its test without the group or the priority that it needs.
#[test]
fn every_filter_of_nextest_names_a_test_that_exists() {
    let tests = tests();
    let configuration = fs::read_to_string(root().join(".config/nextest.toml")).unwrap();
    let mut named = 0;
    for filter in configuration.split("test(").skip(1) {
        let name = filter
            .split(')')
            .next()
            .unwrap()
            .trim_start_matches(['=', '/', '^']);
        // The name of a module ends with two colons.
        if let Some(module) = name.strip_suffix("::/") {
            assert!(!module.is_empty());
            continue;
        }
        named += 1;
        assert!(
            tests.iter().any(|test| test.contains(name)),
            "there is no test {name}"
        );
    }
    assert!(named >= 5, "{named} filters");
}

#[test]
fn fifteen_decisions_are_recorded_and_held_by_tests_that_exist() {
    let tests = tests();
    let mut numbers = Vec::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let file = entry.unwrap().path().join("README.md");
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        for record in text.split("\n## ").skip(1) {
            let number = record.split('.').next().unwrap().parse::<u32>().unwrap();
            for part in ["**Question.**", "**Decision.**", "**Held by**"] {
                assert!(
                    record.contains(part),
                    "{}: decision {number} lacks {part}",
                    file.display()
                );
            }
            let held = named_tests(record.split("**Held by**").nth(1).unwrap());
            assert!(!held.is_empty(), "no test holds decision {number}");
            for name in held {
                assert!(
                    tests.contains(&name),
                    "decision {number}: there is no test {name}"
                );
            }
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=15).collect::<Vec<u32>>());
}

/// Returns the anchor that Markdown renderers create for a heading.
fn anchor(heading: &str) -> String {
    let plain = heading.to_lowercase();
    let kept = plain
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut seen = 0;
    for (folder, text) in [("", README), ("crates/cli/docs", REFERENCE)] {
        for link in text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap())
        {
            if link.starts_with("https://") {
                continue;
            }
            let (file, heading) = link
                .split_once('#')
                .map_or((link, None), |(file, at)| (file, Some(at)));
            let path = root().join(folder).join(file);
            assert!(path.exists(), "{link}");
            if let Some(heading) = heading {
                let page = match file {
                    // A heading of the same page.
                    "" => text.to_owned(),
                    _ => fs::read_to_string(&path).unwrap(),
                };
                let headings = page.lines().filter(|line| line.starts_with('#'));
                let mut anchors = headings.map(|line| anchor(line.trim_start_matches('#').trim()));
                assert!(anchors.any(|anchor| anchor == heading), "{link}");
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "the README links to where things are");
}

#[test]
fn every_target_of_make_in_the_readme_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let lines = README.lines().filter_map(|line| line.strip_prefix("$ "));
    let lines: Vec<String> = lines.map(str::to_owned).chain(spans(README)).collect();
    let targets: BTreeSet<&str> = (lines.iter())
        .filter_map(|line| line.strip_prefix("make ")?.split_whitespace().next())
        .collect();
    for target in &targets {
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
    }
    assert!(
        targets.is_superset(&["demo", "test", "dist", "package"].into()),
        "{targets:?}"
    );
}
