//! The commands of a container program that fakecloud uses.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The input from `container-cli.sh`.
#[derive(Default)]
pub(super) struct Delivered {
    pub(super) arguments: Vec<String>,
    /// The credentials, which are passed in the environment and not on the command line.
    pub(super) environment: BTreeMap<String, String>,
}

impl Delivered {
    /// Reads strings that end with a zero byte: the number of arguments, the arguments, and three credentials.
    pub(super) async fn read(reader: &mut (impl AsyncBufRead + Unpin)) -> Result<Self, std::io::Error> {
        let count = text(reader).await?;
        let count: usize = count.parse().map_err(std::io::Error::other)?;
        let mut handed = Self::default();
        for _ in 0..count {
            handed.arguments.push(text(reader).await?);
        }
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            let value = text(reader).await?;
            if !value.is_empty() {
                handed.environment.insert(name.to_owned(), value);
            }
        }
        Ok(handed)
    }
}

async fn text(reader: &mut (impl AsyncBufRead + Unpin)) -> Result<String, std::io::Error> {
    let mut bytes = Vec::new();
    reader.read_until(0, &mut bytes).await?;
    if bytes.pop() != Some(0) {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    String::from_utf8(bytes).map_err(std::io::Error::other)
}

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Create an environment; `alias` is the name of this machine in containers.
    Create {
        environment: BTreeMap<String, String>,
        alias: String,
    },
    /// Copy the contents of a folder into a folder of the environment.
    Copy {
        source: PathBuf,
        id: String,
        target: String,
    },
    Start {
        id: String,
    },
    Port {
        id: String,
    },
    Logs {
        id: String,
        tail: usize,
    },
    Remove {
        id: String,
    },
    /// A command that needs no response.
    Nothing,
}

impl Command {
    pub(super) fn parse(handed: &Delivered) -> Self {
        let mut arguments = handed.arguments.iter().map(String::as_str);
        let last = || handed.arguments.last().cloned().unwrap_or_default();
        match arguments.next() {
            Some("create") => create(handed),
            Some("cp") => {
                let source = arguments.next().unwrap_or_default();
                let target = arguments.next().unwrap_or_default();
                let (id, target) = target.split_once(':').unwrap_or((target, ""));
                Self::Copy {
                    source: PathBuf::from(source),
                    id: id.to_owned(),
                    target: target.to_owned(),
                }
            }
            Some("start") => Self::Start { id: last() },
            Some("port") => Self::Port {
                id: arguments.next().unwrap_or_default().to_owned(),
            },
            Some("logs") => {
                let tail = arguments
                    .skip_while(|argument| *argument != "--tail")
                    .nth(1)
                    .and_then(|lines| lines.parse().ok());
                Self::Logs {
                    id: last(),
                    tail: tail.unwrap_or(usize::MAX),
                }
            }
            Some("rm") => Self::Remove { id: last() },
            _ => Self::Nothing,
        }
    }
}

fn create(handed: &Delivered) -> Command {
    let mut environment = BTreeMap::new();
    let mut alias = "host.docker.internal".to_owned();
    let mut arguments = handed.arguments.iter().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-e" => {
                let Some(variable) = arguments.next() else { break };
                match variable.split_once('=') {
                    Some((name, value)) => {
                        environment.insert(name.to_owned(), value.to_owned());
                    }
                    // Only the name is given; the value is in the environment.
                    None => {
                        if let Some(value) = handed.environment.get(variable) {
                            environment.insert(variable.clone(), value.clone());
                        }
                    }
                }
            }
            "--add-host" => {
                if let Some((host, _)) = arguments.next().and_then(|host| host.split_once(':')) {
                    host.clone_into(&mut alias);
                }
            }
            "-p" | "--label" | "--tmpfs" => {
                arguments.next();
            }
            // The image, followed by the handler.
            _ => {
                if let Some(handler) = arguments.next() {
                    environment.insert("_HANDLER".to_owned(), handler.clone());
                }
                break;
            }
        }
    }
    Command::Create { environment, alias }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn handed(arguments: &[&str]) -> Delivered {
        Delivered {
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: BTreeMap::from([("AWS_SECRET_ACCESS_KEY".to_owned(), "s".to_owned())]),
        }
    }

    #[test]
    fn the_command_lines_of_fakecloud_are_understood() {
        let create = Command::parse(&handed(&[
            "create",
            "-p",
            ":8080",
            "--label",
            "fakecloud-lambda=f",
            "--add-host",
            "host.docker.internal:172.17.0.1",
            "-e",
            "A=b=c",
            "-e",
            "AWS_SECRET_ACCESS_KEY",
            "-e",
            "AWS_ACCESS_KEY",
            "--tmpfs",
            "/tmp:size=512m,exec",
            "image",
            "bootstrap",
        ]));
        let expected = [
            ("A", "b=c"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("_HANDLER", "bootstrap"),
        ];
        assert_eq!(
            create,
            Command::Create {
                environment: expected
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                alias: "host.docker.internal".into(),
            }
        );
        assert_eq!(
            Command::parse(&handed(&["cp", "/tmp/x/.", "f-1:/var/task"])),
            Command::Copy {
                source: "/tmp/x/.".into(),
                id: "f-1".into(),
                target: "/var/task".into()
            }
        );
        assert_eq!(
            Command::parse(&handed(&["logs", "--tail", "200", "f-1"])),
            Command::Logs {
                id: "f-1".into(),
                tail: 200
            }
        );
        assert_eq!(
            Command::parse(&handed(&["port", "f-1", "8080"])),
            Command::Port { id: "f-1".into() }
        );
        assert_eq!(
            Command::parse(&handed(&["rm", "-f", "f-1"])),
            Command::Remove { id: "f-1".into() }
        );
        assert_eq!(
            Command::parse(&handed(&["ps", "-a", "--filter", "x"])),
            Command::Nothing
        );
    }

    #[tokio::test]
    async fn texts_with_any_letters_come_through() {
        let bytes = b"2\0create\0A=one\ntwo\0key\0\0token\0";
        let handed = Delivered::read(&mut &bytes[..]).await.unwrap();
        assert_eq!(handed.arguments, ["create", "A=one\ntwo"]);
        assert_eq!(handed.environment["AWS_SESSION_TOKEN"], "token");
        assert!(!handed.environment.contains_key("AWS_SECRET_ACCESS_KEY"));
        assert!(Delivered::read(&mut &bytes[..9]).await.is_err());
    }
}
