//! Short forms: `plan APPLICATION@POINT` and `restore APPLICATION@POINT` go through the coordinator.

use std::ffi::OsString;

use clap::Command;
use lifeboat_model::ApplicationName;

/// Returns the command line that a short form stands for: `application plan APPLICATION POINT`, and `application restore
/// APPLICATION POINT --wait`. Others stay as they are: no recovery point of a store has an `@` in its name.
pub(super) fn expanded(mut arguments: Vec<OsString>, definition: &Command) -> Vec<OsString> {
    let words = words(definition, &arguments);
    let [(command, name), (place, point), ..] = words.as_slice() else {
        return arguments;
    };
    if !matches!(name.as_str(), "plan" | "restore") {
        return arguments;
    }
    let Some((application, point)) = point.split_once('@') else {
        return arguments;
    };
    if ApplicationName::parse(application).is_err() || point.is_empty() {
        return arguments;
    }
    let (application, point) = (OsString::from(application), OsString::from(point));
    let waits = name == "restore" && !arguments.iter().any(|argument| argument == "--wait");
    if waits {
        arguments.insert(place + 1, "--wait".into());
    }
    arguments.splice(*place..=*place, [application, point]);
    arguments.insert(*command, "application".into());
    arguments
}

/// Returns the words of a command line that are neither options nor values of options, with their places.
fn words(definition: &Command, arguments: &[OsString]) -> Vec<(usize, String)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut place = 1;
    while let Some(argument) = arguments.get(place) {
        let Some(text) = argument.to_str() else {
            place += 1;
            continue;
        };
        if text == "--" {
            break;
        }
        if text.starts_with('-') && text.len() > 1 {
            let command = words.first().map(|(_, name)| name.as_str());
            place += usize::from(takes_next(definition, command, text));
        } else {
            words.push((place, text.to_owned()));
        }
        place += 1;
    }
    words
}

/// Returns whether the word after an option is its value.
fn takes_next(definition: &Command, command: Option<&str>, option: &str) -> bool {
    if option.starts_with("--") && option.contains('=') {
        return false;
    }
    let long = option.strip_prefix("--");
    // The value of a short option may follow it without a space.
    let short = option.strip_prefix('-').filter(|rest| rest.chars().count() == 1);
    let group = definition.find_subcommand("application");
    let commands = [
        Some(definition),
        command.and_then(|name| definition.find_subcommand(name)),
        command.and_then(|name| group?.find_subcommand(name)),
    ];
    let mut options = commands.into_iter().flatten().flat_map(Command::get_arguments);
    options.any(|known| {
        let is_named = long.is_some_and(|long| {
            known
                .get_long_and_visible_aliases()
                .is_some_and(|names| names.contains(&long))
        }) || long.is_none()
            && known
                .get_short()
                .is_some_and(|name| short == Some(&name.to_string()));
        is_named && known.get_action().takes_values()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::definition;

    fn expand(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        let expanded = expanded(words, &definition());
        let words: Vec<_> = expanded.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn an_application_with_a_point_goes_through_the_coordinator() {
        for (short, long) in [
            (
                "lifeboat plan shop@latest",
                "lifeboat application plan shop latest",
            ),
            (
                "lifeboat -o json plan --profile me@corp --validate shop@2026 --markdown",
                "lifeboat -o json application plan --profile me@corp --validate shop 2026 --markdown",
            ),
            (
                "lifeboat plan --token t shop@latest -n a@b",
                "lifeboat application plan --token t shop latest -n a@b",
            ),
            (
                "lifeboat restore shop@latest --profile recovery",
                "lifeboat application restore shop latest --wait --profile recovery",
            ),
            (
                "lifeboat restore --wait shop@latest",
                "lifeboat application restore --wait shop latest",
            ),
        ] {
            assert_eq!(expand(short), long);
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for line in [
            "lifeboat",
            "lifeboat plan",
            "lifeboat plan latest --store points --context shop@latest",
            "lifeboat plan latest --context=shop@latest --store points",
            "lifeboat verify shop@latest",
            "lifeboat plan Shop!@latest",
            "lifeboat plan shop@",
            "lifeboat -- plan shop@latest",
            "lifeboat application plan shop@latest",
        ] {
            assert_eq!(expand(line), line);
        }
    }
}
