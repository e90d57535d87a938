//! Checks the manifest for krew, filled in as `make dist` does, by the rules that krew applies before it installs.
//!
//! Source: `internal/index/validation/validate.go` and the page
//! <https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/>.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use serde_yaml_ng::Value;

const FILL: &str = "
import pathlib, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import manifest
template = (pathlib.Path(sys.argv[1]) / 'lifeboat.yaml').read_text()
sums = {'linux-x86_64': 'a' * 64, 'darwin-arm64': 'b' * 64}
print(manifest.fill(template, '0.1.0', 'https://example.com/v/', sums), end='')
";

fn filled() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/krew");
    let output = Command::new("python3")
        .args(["-c", FILL, folder])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Returns why krew would reject a manifest of this name.
fn check(manifest: &Value, name: &str) -> Result<(), String> {
    let demand = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let only = |value: &Value, names: &[&str]| {
        let fields = value.as_mapping().ok_or("not a mapping")?;
        match fields
            .keys()
            .find(|key| !names.contains(&key.as_str().unwrap_or_default()))
        {
            Some(key) => Err(format!("the field {key:?} is unknown")),
            None => Ok(()),
        }
    };
    only(manifest, &["apiVersion", "kind", "metadata", "spec"])?;
    demand(
        manifest["apiVersion"] == "krew.googlecontainertools.github.com/v1alpha2",
        "apiVersion",
    )?;
    demand(manifest["kind"] == "Plugin", "kind")?;
    demand(manifest["metadata"]["name"] == name, "name")?;
    let spec = &manifest["spec"];
    only(
        spec,
        &[
            "version",
            "homepage",
            "shortDescription",
            "description",
            "caveats",
            "platforms",
        ],
    )?;
    let version = text(&spec["version"]);
    let numbers: Vec<&str> = version.strip_prefix('v').unwrap_or_default().split('.').collect();
    let is_number = |part: &&str| part.parse::<u32>().is_ok();
    demand(numbers.len() == 3 && numbers.iter().all(is_number), "version")?;
    let short = text(&spec["shortDescription"]);
    demand(!short.is_empty() && !short.contains('\n'), "shortDescription")?;
    let platforms = spec["platforms"].as_sequence().ok_or("no platforms")?;
    demand(!platforms.is_empty(), "no platforms")?;
    for platform in platforms {
        only(platform, &["uri", "sha256", "bin", "files", "selector"])?;
        let uri = text(&platform["uri"]);
        // krew detects the type of an archive by its content; its index accepts these two.
        demand(
            uri.starts_with("https://") && (uri.ends_with(".tar.gz") || uri.ends_with(".zip")),
            "uri",
        )?;
        let digest = text(&platform["sha256"]);
        let is_hex = digest
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        demand(digest.len() == 64 && is_hex, "sha256")?;
        demand(!text(&platform["bin"]).is_empty(), "bin")?;
        if let Some(files) = platform.get("files") {
            let files = files.as_sequence().ok_or("files")?;
            demand(!files.is_empty(), "files")?;
            for file in files {
                only(file, &["from", "to"])?;
                demand(
                    !text(&file["from"]).is_empty() && !text(&file["to"]).is_empty(),
                    "files",
                )?;
            }
        }
        only(&platform["selector"], &["matchLabels", "matchExpressions"])?;
        let labels = &platform["selector"]["matchLabels"];
        only(labels, &["os", "arch"])?;
        // The names of Go (GOOS, GOARCH): krew compares them with its own.
        demand(
            ["linux", "darwin", "windows"].contains(&text(&labels["os"]).as_str()),
            "os",
        )?;
        demand(
            ["amd64", "arm64"].contains(&text(&labels["arch"]).as_str()),
            "arch",
        )?;
    }
    Ok(())
}

#[test]
fn krew_takes_the_manifest() {
    let text = filled();
    assert!(!text.contains('@'), "a placeholder is left: {text}");
    let manifest: Value = serde_yaml_ng::from_str(&text).unwrap();
    check(&manifest, "lifeboat").unwrap();
    let platforms = manifest["spec"]["platforms"].as_sequence().unwrap();
    assert_eq!(platforms.len(), 2);
    let linux = &platforms[1];
    assert_eq!(
        linux["uri"],
        "https://example.com/v/lifeboat-0.1.0-linux-x86_64.tar.gz"
    );
    assert_eq!(linux["sha256"], "a".repeat(64).as_str());
    assert_eq!(linux["selector"]["matchLabels"]["arch"], "amd64");
    // The functions and the program stay in one folder: only the folder of the archive is removed.
    assert_eq!(linux["files"][0]["from"], "lifeboat-0.1.0-linux-x86_64/*");
    assert_eq!(linux["bin"], "kubectl-lifeboat");
}

#[test]
fn what_krew_refuses_is_found() {
    let good = filled();
    for (from, to, what) in [
        ("v1alpha2", "v1", "apiVersion"),
        ("version: v0.1.0", "version: 0.1.0", "version"),
        ("  name: lifeboat", "  name: other", "name"),
        ("arch: \"amd64\"", "arch: \"x86_64\"", "arch"),
        ("aaaa", "AAAA", "sha256"),
        ("bin: kubectl-lifeboat", "bin: ''", "bin"),
        ("uri:", "url:", "unknown"),
        ("https://", "ftp://", "uri"),
        ("to: \".\"", "to: \"\"", "files"),
    ] {
        let broken = good.replace(from, to);
        assert_ne!(broken, good, "{from}");
        let error = check(&serde_yaml_ng::from_str(&broken).unwrap(), "lifeboat").unwrap_err();
        assert!(error.contains(what), "{from}: {error}");
    }
}
