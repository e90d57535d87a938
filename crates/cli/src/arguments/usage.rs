//! Errors of clap about the command line, as failures.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use lifeboat_model::Code;

use crate::failure::Failure;

/// Converts an error of clap to a failure.
pub(super) fn failure(error: &clap::Error, definition: &Command, arguments: &[OsString]) -> Failure {
    match error.kind() {
        ErrorKind::MissingRequiredArgument => missing(error, example(definition, arguments).as_deref()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let words = match command(definition, arguments).get_name() {
                "lifeboat" => "lifeboat".to_owned(),
                group => format!("lifeboat {group}"),
            };
            Failure::new(Code::Usage, "a command is missing")
                .remedy(format!("`{words} --help` lists the commands"))
        }
        ErrorKind::UnknownArgument => unknown(error, definition),
        _ => usage(error),
    }
}

/// Returns the failure for an option that the command does not have, with the commands that have it.
fn unknown(error: &clap::Error, definition: &Command) -> Failure {
    let failure = usage(error);
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return failure;
    };
    let name = option
        .trim_start_matches('-')
        .split('=')
        .next()
        .unwrap_or_default();
    let has = |command: &&Command| {
        command
            .get_arguments()
            .any(|argument| argument.get_long() == Some(name))
    };
    let commands: Vec<String> = definition
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .filter(has)
        .map(|command| format!("`lifeboat {}`", command.get_name()))
        .collect();
    if commands.is_empty() {
        return failure;
    }
    let remedy = failure.problem().guidance.clone();
    failure.remedy(format!(
        "--{name} is an option of {}; {remedy}",
        commands.join(", ")
    ))
}

/// Returns a failure with the first paragraph of clap's error as its message and clap's tip as its remedy.
fn usage(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let message = first.strip_prefix("error: ").unwrap_or(first);
    let message: Vec<&str> = message.lines().map(str::trim).collect();
    let tip = paragraphs
        .flat_map(str::lines)
        .filter_map(|line| line.trim().strip_prefix("tip: "))
        // No argument of lifeboat begins with a dash, so that `--` before it is never meant.
        .find(|tip| !tip.contains("as a value, use"));
    let usage = match error.get(ContextKind::Usage) {
        Some(usage) => {
            let usage = usage.to_string();
            let usage = usage.trim().trim_start_matches("Usage:").trim();
            format!(
                "usage: {}; --help explains each option",
                usage.lines().next().unwrap_or(usage)
            )
        }
        None => "--help explains each option".to_owned(),
    };
    let remedy = tip.map_or_else(|| usage.clone(), |tip| format!("{tip}; {usage}"));
    Failure::new(Code::Usage, message.join(" ")).remedy(remedy)
}

/// Returns the failure for a command whose required arguments are missing. The remedy is the example of its help, which
/// shows values too, where a usage line has only names.
fn missing(error: &clap::Error, example: Option<&str>) -> Failure {
    let failure = usage(error);
    let Some(example) = example else { return failure };
    let makes_keys = "`lifeboat keys generate --out keys` makes the keys";
    let wants_keys = failure.problem().message.contains("-key <") && !example.starts_with("lifeboat deploy");
    let keys = if wants_keys {
        format!("; {makes_keys}")
    } else {
        String::new()
    };
    failure.remedy(format!(
        "for example `{example}`{keys}; --help explains each option"
    ))
}

/// Returns the command that these arguments name.
fn command<'a>(definition: &'a Command, arguments: &[OsString]) -> &'a Command {
    let named = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    named.fold(definition, |command, word| {
        command.find_subcommand(word).unwrap_or(command)
    })
}

/// Returns the first example in the help of the command that these arguments name, as one line.
fn example(definition: &Command, arguments: &[OsString]) -> Option<String> {
    let help = command(definition, arguments).get_after_long_help()?.to_string();
    let mut example = String::new();
    for line in help.lines().skip_while(|line| !line.starts_with("  lifeboat ")) {
        let (part, continues) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        example.push_str(part.trim());
        if !continues {
            return Some(example);
        }
        example.push(' ');
    }
    None
}
