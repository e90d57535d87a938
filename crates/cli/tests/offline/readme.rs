//! The repository's README and the examples of the help, read as a user reads them: every command line
//! and option that they show exists.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::ffi::OsString;

use lifeboat_cli::arguments::{self, Parsed};

const README: &str = include_str!("../../../../README.md");

/// The command lines of the program in the README's console blocks, continued lines joined.
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

/// What stands between single backticks, outside fenced blocks.
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
            Ok(Parsed::Command(_)) => {}
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
        // Examples are indented by two and begin with the program's name, as in a console block.
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
            // Only what reaches the program, not what a shell does with its answer.
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
    let mut commands = BTreeSet::new();
    let mut unread = vec![&definition];
    while let Some(command) = unread.pop() {
        commands.insert(command.get_name().to_owned());
        unread.extend(command.get_subcommands());
        for argument in command.get_arguments() {
            options.extend(argument.get_long().map(str::to_owned));
            variables.extend(argument.get_env().map(|name| name.to_str().unwrap().to_owned()));
        }
    }
    let mut seen = 0;
    for span in spans(README) {
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
fn the_exit_codes_of_the_readme_are_those_of_the_help() {
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
    let table = README.split("## Exit codes").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let Ok(Parsed::Text(help)) = arguments::parse(words("lifeboat --help")) else {
        panic!("there is no help");
    };
    let list = help.split("Exit codes:").nth(1).unwrap();
    let list = list.split("\n\n").next().unwrap();
    assert!(numbers(list).contains(&130), "{list}");
    assert_eq!(numbers(table), numbers(list));
}
