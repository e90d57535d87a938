//! The environment variables of a function: those that Lambda documents, and none of this machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Lambda's default for a function without a memory size.
const DEFAULT_MEMORY_MIB: u64 = 128;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// The settings of a function that the host needs, from fakecloud's command.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) function: String,
    pub(super) version: String,
    pub(super) region: String,
    pub(super) memory_mib: u64,
    pub(super) timeout: Duration,
    /// The environment variables of the process, without the address of the Runtime API.
    pub(super) environment: BTreeMap<String, String>,
}

impl Settings {
    /// Completes the environment from fakecloud. `alias` is fakecloud's name for this machine,
    /// `gateway` the address that functions must use instead of fakecloud's.
    pub(super) fn new(
        mut handed: BTreeMap<String, String>,
        alias: &str,
        gateway: &str,
        task: &Path,
        temporary: &Path,
    ) -> Self {
        // Only the emulator reads this variable; a function does not get it.
        let timeout = handed
            .remove("AWS_LAMBDA_FUNCTION_TIMEOUT")
            .and_then(|seconds| seconds.parse().ok())
            .map_or(DEFAULT_TIMEOUT, Duration::from_secs);
        for value in handed.values_mut() {
            // fakecloud replaces the address of this machine by its alias in every value.
            *value = value.replace(alias, "127.0.0.1");
        }
        let path = |path: &Path| path.display().to_string();
        for (name, value) in [
            ("AWS_ENDPOINT_URL", gateway.to_owned()),
            ("LAMBDA_TASK_ROOT", path(task)),
            ("LAMBDA_RUNTIME_DIR", path(task)),
            // Lambda's is /tmp, which is shared by all processes here.
            ("TMPDIR", path(temporary)),
            ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin".to_owned()),
            ("LD_LIBRARY_PATH", "/lib64:/usr/lib64".to_owned()),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("TZ", ":UTC".to_owned()),
        ] {
            handed.insert(name.to_owned(), value);
        }
        let text = |name: &str| handed.get(name).cloned().unwrap_or_default();
        Self {
            function: text("AWS_LAMBDA_FUNCTION_NAME"),
            version: text("AWS_LAMBDA_FUNCTION_VERSION"),
            region: text("AWS_REGION"),
            memory_mib: text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
                .parse()
                .unwrap_or(DEFAULT_MEMORY_MIB),
            timeout,
            environment: handed,
        }
    }

    /// Sets the memory size to that of the function's template, in MiB.
    pub(super) fn with_memory(mut self, memory: Option<u64>) -> Self {
        if let Some(memory) = memory {
            self.memory_mib = memory;
            let name = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE".to_owned();
            self.environment.insert(name, memory.to_string());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_gets_what_lambda_documents() {
        let handed = [
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_TIMEOUT", "7"),
            ("AWS_ENDPOINT_URL", "http://host.docker.internal:4566"),
            ("OTHER_URL", "http://host.docker.internal:99/x"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::new(
            handed.into(),
            "host.docker.internal",
            "http://127.0.0.1:1",
            Path::new("/f/task"),
            Path::new("/f/tmp"),
        );
        assert_eq!(
            (
                settings.function.as_str(),
                settings.memory_mib,
                settings.timeout.as_secs()
            ),
            ("f", 256, 7)
        );
        let more = settings.clone().with_memory(Some(1024)).with_memory(None);
        assert_eq!(more.memory_mib, 1024);
        assert_eq!(more.environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "1024");
        let environment = &settings.environment;
        assert_eq!(environment["AWS_ENDPOINT_URL"], "http://127.0.0.1:1");
        assert_eq!(environment["OTHER_URL"], "http://127.0.0.1:99/x");
        assert_eq!(environment["LAMBDA_TASK_ROOT"], "/f/task");
        assert!(!environment.contains_key("AWS_LAMBDA_FUNCTION_TIMEOUT"));
        assert!(!environment.contains_key("HOME"));
    }
}
