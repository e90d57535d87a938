//! Finds the zips of the functions on this machine, and checks the version in them.

use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lifeboat_deploy::artifacts::Artifact;
use lifeboat_model::Code;

use crate::failure::Failure;
use crate::version::VERSION;

/// The folder beside the program in an archive of `make dist`; it contains one folder per architecture.
const BESIDE: &str = "functions";

/// The folder that `make package` writes to, relative to the root of a checkout.
const PACKAGED: &str = "target/package/release";

/// The name of the first entry of a zip of `infra/package`. The entry is not compressed and contains
/// `PROGRAM VERSION ARCHITECTURE`.
const ENTRY: &str = "lifeboat-version";

/// The length in bytes of a local file header before the name
/// (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, 4.3.7).
const HEADER: usize = 30;

/// The zips to deploy.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Functions")]
pub struct PackageArguments {
    /// The folder of the zips; else functions/ARCHITECTURE beside this program, else target/package/release/ARCHITECTURE
    #[arg(long, value_name = "DIR")]
    pub package: Option<PathBuf>,
    /// The architecture of the functions: arm64 or x86_64
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "ARCHITECTURE"
    )]
    pub architecture: Architecture,
}

/// A processor architecture, with the names that Lambda uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Architecture {
    /// Graviton, a fifth cheaper than the other.
    #[default]
    Arm64,
    /// Intel and AMD.
    #[value(name = "x86_64")]
    X86,
}

impl Architecture {
    /// Returns the name that templates and the folders of `make package` use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Arm64 => Self::X86,
            Self::X86 => Self::Arm64,
        }
    }
}

impl PackageArguments {
    /// Reads the zip of a program, such as `lifeboat-delegate`.
    ///
    /// # Errors
    /// LB-1007 if it does not exist, or contains another version than that of this program.
    pub fn read(&self, program: &str) -> Result<Artifact, Failure> {
        // Resolves a symbolic link in the PATH to the folder of the archive.
        let executable = std::env::current_exe().and_then(|path| path.canonicalize()).ok();
        let installed = executable.as_deref().and_then(|path| path.parent());
        let bytes = read(self, program, installed)?;
        Ok(Artifact::new(program, self.architecture.name(), bytes))
    }
}

/// Reads the zip of `program` for this version of the command line, which is installed in the folder `installed`.
fn read(arguments: &PackageArguments, program: &str, installed: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let (folders, searched) = folders(arguments, installed);
    let mut first = None;
    for folder in folders {
        let file = folder.join(format!("{program}.zip"));
        match std::fs::read(&file) {
            Ok(bytes) => {
                check(&bytes, &file, program, arguments.architecture)?;
                return Ok(bytes);
            }
            Err(error) if error.kind() == IoErrorKind::NotFound => {
                first.get_or_insert((file, error));
            }
            Err(error) => return Err(unreadable(&file, &error)),
        }
    }
    let (file, error) = first.expect("there is at least one folder to look into");
    let failure = unreadable(&file, &error);
    Err(match arguments.architecture.other() {
        other if searched.iter().any(|folder| folder.join(other.name()).join(format!("{program}.zip")).exists()) => {
            failure.remedy(format!(
                "only the functions for {other} are here: deploy those with --architecture {other}",
                other = other.name()
            ))
        }
        _ => failure.remedy(format!(
            "keep `lifeboat` in the folder of its archive, where the folder {BESIDE} is; in a checkout run `make package`; or name the folder of the zips with --package"
        )),
    })
}

/// Returns the folders that may contain the zips of the architecture, in order of preference, and their parent folders.
fn folders(arguments: &PackageArguments, installed: Option<&Path>) -> (Vec<PathBuf>, Vec<PathBuf>) {
    if let Some(folder) = &arguments.package {
        return (vec![folder.clone()], Vec::new());
    }
    let searched: Vec<PathBuf> = installed
        .map(|folder| folder.join(BESIDE))
        .into_iter()
        .chain([PathBuf::from(PACKAGED)])
        .collect();
    let architecture = arguments.architecture.name();
    (
        searched.iter().map(|folder| folder.join(architecture)).collect(),
        searched,
    )
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    let doing = format!("failed to read the zip {}", file.display());
    Failure::of(Code::PackagesMissing, doing, error)
}

/// Rejects a zip of another program, version or architecture: templates and functions of different versions may not be
/// compatible.
fn check(bytes: &[u8], file: &Path, program: &str, architecture: Architecture) -> Result<(), Failure> {
    let wanted = format!("{program} {VERSION} {}", architecture.name());
    let found = label(bytes);
    if found == Some(wanted.as_str()) {
        return Ok(());
    }
    let found = found.unwrap_or("no function of Lifeboat, or one from before 0.1.0");
    let message = format!(
        "the zip {} holds {found}; this program deploys {wanted}",
        file.display()
    );
    Err(Failure::new(Code::PackagesMissing, message).remedy(
        "take program and zips from one archive; in a checkout run `make package` after each change of version; or name the folder of other zips with --package",
    ))
}

/// Returns the content of the entry [`ENTRY`], or `None` if the first entry of the zip is another one.
fn label(zip: &[u8]) -> Option<&str> {
    let header = zip.get(..HEADER)?;
    let number = |at: usize| {
        Some(usize::from(u16::from_le_bytes(
            header.get(at..at + 2)?.try_into().ok()?,
        )))
    };
    let (method, size, name, extra) = (number(8)?, number(18)?, number(26)?, number(28)?);
    if !header.starts_with(b"PK\x03\x04")
        || method != 0
        || zip.get(HEADER..HEADER + name)? != ENTRY.as_bytes()
    {
        return None;
    }
    let begin = HEADER + name + extra;
    std::str::from_utf8(zip.get(begin..begin + size)?)
        .ok()
        .map(str::trim_end)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// Creates the first entry of a zip; the rest of a zip is not read.
    fn zip(content: &str) -> Vec<u8> {
        let mut zip = b"PK\x03\x04".to_vec();
        zip.extend([0; 14]);
        zip.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        zip.extend([0; 4]);
        zip.extend(u16::try_from(ENTRY.len()).unwrap().to_le_bytes());
        zip.extend([0; 2]);
        zip.extend(ENTRY.as_bytes());
        zip.extend(content.as_bytes());
        zip
    }

    fn arguments(package: Option<&Path>, architecture: Architecture) -> PackageArguments {
        PackageArguments {
            package: package.map(Path::to_owned),
            architecture,
        }
    }

    fn put(folder: &Path, content: &[u8]) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("lifeboat-delegate.zip"), content).unwrap();
    }

    #[test]
    fn zips_beside_the_program_are_found() {
        let installed = tempfile::tempdir().unwrap();
        let arguments = arguments(None, Architecture::Arm64);
        let missing = read(&arguments, "lifeboat-delegate", Some(installed.path())).unwrap_err();
        assert!(missing.problem().guidance.contains("make package"), "{missing}");
        let good = zip(&format!("lifeboat-delegate {VERSION} arm64\n"));
        put(&installed.path().join("functions/arm64"), &good);
        let found = read(&arguments, "lifeboat-delegate", Some(installed.path())).unwrap();
        assert_eq!(found, good);
    }

    #[test]
    fn the_architecture_that_is_there_is_named() {
        let installed = tempfile::tempdir().unwrap();
        let arguments = arguments(None, Architecture::Arm64);
        put(&installed.path().join("functions/x86_64"), b"any");
        let missing = read(&arguments, "lifeboat-delegate", Some(installed.path())).unwrap_err();
        assert!(
            missing.problem().guidance.contains("--architecture x86_64"),
            "{missing}"
        );
    }

    #[test]
    fn zips_of_another_version_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = arguments(Some(folder.path()), Architecture::X86);
        for (content, says) in [
            (
                zip("lifeboat-delegate 0.0.9 x86_64\n"),
                "holds lifeboat-delegate 0.0.9 x86_64",
            ),
            (
                zip(&format!("lifeboat-delegate {VERSION} arm64\n")),
                "arm64; this program",
            ),
            (
                zip(&format!("lifeboat-coordinator {VERSION} x86_64\n")),
                "holds lifeboat-coordinator",
            ),
            (b"PK\x03\x04".to_vec(), "holds no function of Lifeboat"),
            (
                zip("lifeboat-delegate")[..50].to_vec(),
                "holds no function of Lifeboat",
            ),
        ] {
            put(folder.path(), &content);
            let refused = read(&arguments, "lifeboat-delegate", None).unwrap_err();
            assert_eq!(refused.problem().code, Code::PackagesMissing);
            assert!(refused.problem().message.contains(says), "{refused}");
        }
    }
}
