//! The guided tour: two clusters, an application, a backup, the loss of the cluster, a restore and its proof.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lifeboat_local::{Cluster, ClusterOptions, Sample};

use crate::environment::{Environment, Reporter, pause};
use crate::workspace::Workspace;

/// The number of nodes in each cluster.
const NODES: u32 = 2;

/// How long the application may take to become quiet.
const REST_WITHIN: Duration = Duration::from_secs(40);

/// The number of lines of a long table that are shown.
const LINES: usize = 24;

/// Runs the tour and returns the exit status.
///
/// # Errors
/// If a step fails.
pub fn run(stage: &Environment, keep: bool) -> Result<i32> {
    let mut reporter = Reporter::default();
    println!(
        "Backs up a Kubernetes cluster and restores it into another one, with two real control planes\n\
         on this machine; only the nodes are simulated."
    );
    let (primary, recovery) = clusters(stage, &mut reporter)?;
    let sample = application(&primary, &mut reporter)?;
    let workspace = Workspace::create()?;
    stage.remove_at_end(workspace.path().to_owned());
    let show = Show {
        stage,
        workspace: &workspace,
    };
    reporter.command("lifeboat keys generate --out keys");
    reporter.say(
        "The recovery key decrypts and stays on the recovery side; the signing key signs and stays on the\n\
         primary side. A backup uses only the public recovery key.",
    );

    reporter.step(
        "backup",
        "Back up the primary cluster into an encrypted, signed recovery point",
    );
    let code = show.lifeboat(
        &reporter,
        &["backup", "--cluster", "primary"],
        Some(&primary),
        &[0, 3],
    )?;

    if code == 3 {
        reporter.say(
            "The point is Partial, because the application registers an API whose backend does not exist:\n\
             a type that cannot be read is listed as missing.",
        );
    }

    reporter.step("look", "Show its contents");
    show.lifeboat(&reporter, &["points"], None, &[0])?;
    show.lifeboat(&reporter, &["show", "latest"], None, &[0, 3])?;

    reporter.step("verify", "Verify the signature, every digest and every object");
    show.lifeboat(&reporter, &["verify", "latest"], None, &[0, 3])?;

    reporter.step("plan", "Plan the restore, without writing objects");
    show.lifeboat(&reporter, &["plan", "latest"], Some(&recovery), &[0, 4])?;

    reporter.step(
        "restore",
        "Restore into the recovery cluster and verify the result",
    );
    // With `--keep` both clusters keep running, so that the user can compare them.
    let primary = if keep {
        reporter.say("The primary cluster is not used from here on.");
        Some(primary)
    } else {
        stage.end(&primary);
        drop(primary);
        reporter.say("The primary cluster is deleted: its processes are stopped and its data is removed.");
        None
    };
    let code = show.lifeboat(&reporter, &["restore", "latest"], Some(&recovery), &[0, 4])?;

    reporter.step("after", "Show the application in the recovery cluster");
    // Controllers need a moment to start the restored workloads.
    if let Err(error) = lifeboat_local::wait_until_quiet(&recovery, REST_WITHIN) {
        reporter.say(&format!("the recovered cluster has not settled: {error}"));
    }
    show.kubectl(
        &reporter,
        &recovery,
        &[
            "get",
            "deployments,statefulsets,daemonsets,jobs",
            "--all-namespaces",
        ],
    )?;
    show.kubectl(
        &reporter,
        &recovery,
        &["get", "persistentvolumeclaims,services", "--all-namespaces"],
    )?;
    reporter.end();
    println!("\nDone in {:.0} seconds.", reporter.seconds());
    if let Some(primary) = primary {
        wait(&primary, &recovery, &workspace);
    }
    drop(sample);
    Ok(code)
}

fn clusters(stage: &Environment, reporter: &mut Reporter) -> Result<(Arc<Cluster>, Arc<Cluster>)> {
    reporter.step("start", "Start two clusters");
    reporter.say("each with etcd, API server, controllers, scheduler, and two nodes simulated by kwok");
    let clusters = stage.clusters(vec![
        ClusterOptions::named("primary").with_nodes(NODES),
        ClusterOptions::named("recovery").with_nodes(NODES),
    ])?;
    for cluster in &clusters {
        reporter.say(&format!("{:<9} {}", cluster.name(), cluster.server()));
    }
    match clusters.as_slice() {
        [primary, recovery] => Ok((Arc::clone(primary), Arc::clone(recovery))),
        _ => bail!("requested two clusters, got {}", clusters.len()),
    }
}

fn application(primary: &Cluster, reporter: &mut Reporter) -> Result<Sample> {
    reporter.step("install", "Deploy an application to the primary cluster");
    let sample = Sample::install(primary)?;
    match lifeboat_local::wait_until_quiet(primary, REST_WITHIN) {
        Ok(_) => reporter.say("the application runs, and the cluster has settled"),
        Err(error) => reporter.say(&format!(
            "the application runs; the cluster has not settled: {error}"
        )),
    }
    Ok(sample)
}

/// Runs programs as a user would, and shows what they print.
struct Show<'a> {
    stage: &'a Environment,
    workspace: &'a Workspace,
}

impl Show<'_> {
    fn lifeboat(
        &self,
        reporter: &Reporter,
        arguments: &[&str],
        cluster: Option<&Cluster>,
        codes: &[i32],
    ) -> Result<i32> {
        let mut all = arguments.to_vec();
        let kubeconfig = cluster.map(|cluster| cluster.kubeconfig().to_string_lossy().into_owned());
        let mut line = format!("lifeboat {}", arguments.join(" "));
        if let (Some(cluster), Some(kubeconfig)) = (cluster, &kubeconfig) {
            all.extend(["--kubeconfig", kubeconfig]);
            line.push_str(&format!(" --context {}", cluster.context()));
        }
        reporter.command(&line);
        let code = self.run(self.workspace.lifeboat(&all))?;
        ensure!(codes.contains(&code), "`{line}` ended with {code}");
        Ok(code)
    }

    fn kubectl(&self, reporter: &Reporter, cluster: &Cluster, arguments: &[&str]) -> Result<()> {
        reporter.command(&format!(
            "kubectl --context {} {}",
            cluster.context(),
            arguments.join(" ")
        ));
        let code = self.run(cluster.kubectl(arguments))?;
        ensure!(code == 0, "kubectl ended with {code}");
        Ok(())
    }

    /// Shows the output of a command, shortened in the middle if it is long.
    fn run(&self, mut command: Command) -> Result<i32> {
        let path = self.workspace.path().join("output");
        command.stdin(Stdio::null()).stdout(std::fs::File::create(&path)?);
        let code = self
            .stage
            .show(command)?
            .code()
            .context("terminated by a signal")?;
        let text = std::fs::read_to_string(&path)?;
        let lines: Vec<&str> = text.lines().collect();
        let (head, tail) = if lines.len() > 2 * LINES {
            (&lines[..LINES], &lines[lines.len() - LINES..])
        } else {
            (lines.as_slice(), &[][..])
        };
        for line in head {
            println!("    {line}");
        }
        if !tail.is_empty() {
            println!("    ... {} lines more ...", lines.len() - 2 * LINES);
        }
        for line in tail {
            println!("    {line}");
        }
        Ok(code)
    }
}

/// Keeps everything running until the program is interrupted.
fn wait(primary: &Cluster, recovery: &Cluster, workspace: &Workspace) {
    println!("\nBoth clusters stay up until Ctrl-C. In another terminal:\n");
    println!("  export LIFEBOAT_STORE={}", workspace.store().display());
    println!("  export LIFEBOAT_APPLICATION=shop");
    for (name, file) in [
        ("LIFEBOAT_RECOVERY_KEY", "recovery.key.pem"),
        ("LIFEBOAT_RECOVERY_PUBLIC_KEY", "recovery.pub.pem"),
        ("LIFEBOAT_SIGNING_KEY", "signing.key.pem"),
        ("LIFEBOAT_VERIFY_KEY", "signing.pub.pem"),
    ] {
        println!("  export {name}={}", workspace.keys().join(file).display());
    }
    println!(
        "  export KUBECONFIG={}:{}",
        primary.kubeconfig().display(),
        recovery.kubeconfig().display()
    );
    println!("\n  kubectl --context recovery get pods --all-namespaces");
    println!("  lifeboat diff latest --context recovery");
    println!("  kubectl --context primary create configmap new --from-literal=a=b");
    println!("  lifeboat backup --context primary --cluster primary");
    println!("  lifeboat diff latest --context recovery\n");
    loop {
        pause(Duration::from_secs(3600));
    }
}
