//! The cluster that a command works on, selected as kubectl selects it.

use std::path::PathBuf;

use lifeboat_apiserver::connect::{ConnectOptions, KubeconfigSource};
use lifeboat_apiserver::{Api, ServerVersion};
use lifeboat_model::ClusterName;
use lifeboat_store::ports::Randomness;
use serde::Deserialize;

use crate::arguments::ClusterArguments;
use crate::failure::Failure;

/// The name of a cluster whose name in the kubeconfig has no character that a cluster name may have.
const NAMELESS: &str = "cluster";

/// Connects to the cluster.
///
/// # Errors
/// One code for each way in which a kubeconfig or the connection to an API server can be wrong.
pub async fn connect(
    arguments: &ClusterArguments,
    ids: &dyn Randomness,
) -> Result<(Api, ServerVersion), Failure> {
    let mut options = ConnectOptions::new(source(arguments), arguments.context.clone());
    let mut seed = [0; 8];
    ids.random(&mut seed);
    options.seed = u64::from_le_bytes(seed);
    Ok(Api::connect(&options).await?)
}

/// Returns where the kubeconfig is read from: the file of `--kubeconfig`, else those of `KUBECONFIG`, else
/// `~/.kube/config`.
fn source(arguments: &ClusterArguments) -> KubeconfigSource {
    if let Some(file) = &arguments.kubeconfig {
        return KubeconfigSource::File(file.clone());
    }
    let files: Vec<PathBuf> = arguments
        .from_environment
        .iter()
        .flat_map(std::env::split_paths)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if files.is_empty() {
        let home = arguments.home.clone().unwrap_or_default();
        return KubeconfigSource::Merged(vec![home.join(".kube").join("config")]);
    }
    KubeconfigSource::Merged(files)
}

/// Returns the name of the context's cluster, with characters replaced that are not allowed in the name of a folder.
/// For an EKS cluster, which the kubeconfig names by its ARN, this is the name of the cluster.
#[must_use]
pub fn name(arguments: &ClusterArguments) -> ClusterName {
    let files = match source(arguments) {
        KubeconfigSource::File(file) => vec![file],
        KubeconfigSource::Merged(files) => files,
    };
    // A file that cannot be read or parsed here was reported when the connection was made.
    let configs: Vec<Kubeconfig> = files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .filter_map(|text| serde_yaml_ng::from_str(&text).ok())
        .collect();
    let context = arguments
        .context
        .clone()
        .or_else(|| configs.iter().find_map(|config| config.current_context.clone()));
    let cluster = configs
        .iter()
        .flat_map(|config| &config.contexts)
        .find(|named| Some(&named.name) == context.as_ref())
        .and_then(|named| named.context.as_ref()?.cluster.clone());
    sanitised(&cluster.or(context).unwrap_or_default())
}

fn sanitised(text: &str) -> ClusterName {
    let last = text.rsplit('/').next().unwrap_or_default();
    let mapped: String = last
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') {
                c
            } else {
                '-'
            }
        })
        .collect();
    let trimmed: String = mapped.trim_matches(['-', '_']).chars().take(100).collect();
    ClusterName::parse(trimmed)
        .unwrap_or_else(|_| ClusterName::parse(NAMELESS).expect("the constant is a cluster name"))
}

#[derive(Deserialize)]
struct Kubeconfig {
    #[serde(rename = "current-context")]
    current_context: Option<String>,
    #[serde(default)]
    contexts: Vec<NamedContext>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Option<ContextOf>,
}

#[derive(Deserialize)]
struct ContextOf {
    cluster: Option<String>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_of_clusters_are_fit_for_folders() {
        for (given, name) in [
            ("shop", "shop"),
            ("arn:aws:eks:eu-west-1:111122223333:cluster/shop_eu", "shop_eu"),
            ("gke_project:zone/", "cluster"),
            ("kind kind!", "kind-kind"),
            ("../..", "cluster"),
            ("", "cluster"),
        ] {
            assert_eq!(sanitised(given).as_str(), name, "{given:?}");
        }
        assert_eq!(sanitised(&"x".repeat(300)).as_str().len(), 100);
    }

    #[test]
    fn the_name_comes_from_the_context_that_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(
            &file,
            "current-context: b\ncontexts:\n- name: a\n  context: {cluster: one}\n- name: b\n  context: {cluster: two, user: u}\n",
        )
        .unwrap();
        let mut arguments = ClusterArguments {
            kubeconfig: None,
            context: None,
            from_environment: Some(file.into()),
            home: None,
        };
        assert_eq!(name(&arguments).as_str(), "two");
        arguments.context = Some("a".to_owned());
        assert_eq!(name(&arguments).as_str(), "one");
    }
}
