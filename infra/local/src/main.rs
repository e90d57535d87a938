//! `lifeboat-local`: a command line for control planes, the sample application, its webhooks and a local AWS.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use lifeboat_local::{
    Cluster, ClusterOptions, LocalAws, LocalAwsOptions, Sample, Webhook, ensure_aws_client, ensure_programs,
    install_bundle, wait_until_quiet, with_pool,
};

#[derive(Parser)]
#[command(about = "Real Kubernetes control planes on this machine, for Lifeboat's tests")]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Build the programs of the control plane, if that was not done before
    Build,
    /// Start clusters, print their kubeconfigs, and stay until Ctrl-C or the end of standard input
    Up {
        /// One cluster for each name
        #[arg(long, required = true)]
        name: Vec<String>,
        /// Run the controller manager and the scheduler
        #[arg(long)]
        controllers: bool,
        /// Number of nodes that kwok simulates
        #[arg(long, default_value_t = 0)]
        nodes: u32,
        /// The range of Service addresses
        #[arg(long)]
        service_cidr: Option<String>,
        /// Install the sample application in the first cluster
        #[arg(long)]
        sample: bool,
        /// Install manifests (a file or a folder) in the first cluster
        #[arg(long)]
        bundle: Option<PathBuf>,
    },
    /// Start a local AWS, print how to use it, and stay until Ctrl-C or the end of standard input
    Aws {
        /// One administrator for each account, by its twelve digits
        #[arg(long, default_value = "111111111111")]
        account: Vec<String>,
        /// Leave the controllers out of clusters of EKS
        #[arg(long)]
        bare: bool,
    },
    /// Run a command whose tests share clusters; the clusters end with it
    Pool {
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true)]
        command: Vec<OsString>,
    },
    /// Answer admission reviews until Ctrl-C or the end of standard input
    Webhook {
        /// The port on loopback, 0 for a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Action::Build => println!("{}", ensure_programs()?.display()),
        Action::Up {
            name,
            controllers,
            nodes,
            service_cidr,
            sample,
            bundle,
        } => {
            let options = name.into_iter().map(|name| ClusterOptions {
                name,
                controllers: controllers || nodes > 0,
                nodes,
                service_cidr: service_cidr.clone(),
                api_server_args: Vec::new(),
            });
            let clusters = Cluster::start_all(options.collect())?;
            for cluster in &clusters {
                println!("{} {}", cluster.name(), cluster.kubeconfig().display());
            }
            let first = clusters.first().context("no cluster requested")?;
            // The sample's webhooks respond until this value is dropped.
            let _sample = if sample {
                Some(Sample::install(first)?)
            } else {
                None
            };
            if let Some(bundle) = bundle {
                let outcome = install_bundle(first, &bundle)?;
                println!("{outcome}");
                println!(
                    "{}",
                    wait_until_quiet(first, std::time::Duration::from_secs(120))?
                );
            }
            println!("ready");
            wait_for_end()?;
        }
        Action::Aws { account, bare } => {
            let aws = LocalAws::start(&LocalAwsOptions {
                controllers: !bare,
                ..LocalAwsOptions::default()
            })?;
            let client = ensure_aws_client()?;
            println!("alias aws={}", client.display());
            println!("export AWS_ENDPOINT_URL={}", aws.endpoint());
            println!("export AWS_DEFAULT_REGION=eu-west-1");
            for account in account {
                println!("# account {account}");
                for (name, value) in aws.create_account(&account)?.variables() {
                    println!("export {name}={value}");
                }
            }
            println!("# ready");
            wait_for_end()?;
        }
        Action::Pool { command } => {
            let (program, arguments) = command.split_first().context("no command given")?;
            let status = with_pool(Command::new(program).args(arguments))
                .with_context(|| format!("run {}", program.display()))?;
            std::process::exit(status.code().unwrap_or(1));
        }
        Action::Webhook { port } => {
            let webhook = Webhook::start(port)?;
            println!("{}\n{}", webhook.url(), webhook.ca_pem());
            wait_for_end()?;
        }
    }
    Ok(())
}

/// Waits for the end of standard input. Ctrl-C needs no handler: the clusters end with this process.
fn wait_for_end() -> Result<()> {
    let mut input = std::io::stdin().lock();
    let mut buffer = [0; 4096];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => bail!("failed to read standard input: {error}"),
        }
    }
}
