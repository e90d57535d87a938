//! The sample application: a shop whose objects cover what real clusters contain.
//!
//! The manifests are in `sample/`. Different tools install them, as in a real cluster, so that the
//! fields have different field managers.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::cluster::{Cluster, KubectlError};
use crate::settle::{SettleError, Settled, wait_until_quiet};
use crate::webhook::{Webhook, WebhookError};

/// A part of the value of every Secret of the sample. It must appear only in the cluster and inside
/// encrypted packs.
pub const CANARY: &str = "lifeboat-canary-7f3d9a";

/// The controllers of a cluster on a busy machine need seconds, not minutes.
const QUIET_DEADLINE: Duration = Duration::from_secs(90);

/// The kubeadm default, used if the cluster has no other range.
const SERVICE_RANGE: &str = "10.96.0.0/16";

/// The error of installing the sample.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The API server rejected a manifest.
    #[error("the API server rejected a part of the sample application")]
    Kubectl(#[from] KubectlError),
    /// The webhooks could not be started.
    #[error("failed to start the webhooks of the sample application")]
    Webhook(#[from] WebhookError),
    /// The state of the cluster could not be read.
    #[error("failed to watch the cluster while the sample application settled")]
    Settled(#[from] SettleError),
    /// The controllers did not reach a steady state before the deadline.
    #[error("the sample application did not settle: {0}")]
    Unsettled(Settled),
}

/// The tool that installs a part.
#[derive(Clone, Copy)]
enum Tool {
    /// Helm creates objects by POST.
    Helm,
    /// Argo CD uses server-side apply and forces conflicts.
    ArgoCd,
    /// A person uses server-side apply.
    Person,
    /// A person uses client-side apply, as older scripts do.
    PersonOfOld,
}

impl Tool {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Helm => &["create", "--field-manager=helm", "-f", "-"],
            Self::ArgoCd => &[
                "apply",
                "--server-side",
                "--field-manager=argocd-controller",
                "--force-conflicts",
                "-f",
                "-",
            ],
            Self::Person => &["apply", "--server-side", "-f", "-"],
            Self::PersonOfOld => &["apply", "-f", "-"],
        }
    }
}

/// An installed sample. Its webhooks respond until this value is dropped: keep it while clients
/// write to a cluster restored from the sample.
pub struct Sample {
    webhook: Webhook,
}

impl Sample {
    /// Installs everything and waits until the cluster is quiet. Waits for workloads only if the
    /// cluster has controllers and nodes.
    ///
    /// # Errors
    /// If a part is rejected or does not settle.
    pub fn install(cluster: &Cluster) -> Result<Self, SampleError> {
        Self::install_with(cluster, Webhook::start(0)?)
    }

    /// Installs everything as [`Sample::install`] does, with webhooks that are already running.
    ///
    /// # Errors
    /// If a part is rejected or does not settle.
    pub fn install_with(cluster: &Cluster, webhook: Webhook) -> Result<Self, SampleError> {
        let sample = Self { webhook };
        sample.install_objects(cluster)?;
        settle(cluster)?;
        sample.begin_deletion(cluster)?;
        sample.install_admission(cluster)?;
        settle(cluster)?;
        Ok(sample)
    }

    /// Returns the webhooks of the sample.
    #[must_use]
    pub fn webhook(&self) -> &Webhook {
        &self.webhook
    }

    fn install_objects(&self, cluster: &Cluster) -> Result<(), SampleError> {
        let put = |tool: Tool, text: &str| cluster.kubectl_with_input(tool.arguments(), text);
        put(Tool::ArgoCd, include_str!("../sample/10-definitions.yaml"))?;
        let dns = dns_address(cluster);
        put(
            Tool::Person,
            &include_str!("../sample/20-cluster.yaml").replace("{{DNS_ADDRESS}}", &dns.to_string()),
        )?;
        put(Tool::Helm, include_str!("../sample/30-shop.yaml"))?;
        put(Tool::ArgoCd, include_str!("../sample/35-shop-argocd.yaml"))?;
        put(Tool::ArgoCd, include_str!("../sample/40-payments.yaml"))?;
        put(Tool::Helm, include_str!("../sample/50-data.yaml"))?;
        put(Tool::PersonOfOld, include_str!("../sample/60-observability.yaml"))?;
        if cluster.options().controllers {
            let job = "create job nightly-report-by-hand --namespace shop --from=cronjob/nightly-report";
            cluster.kubectl_output(&job.split(' ').collect::<Vec<_>>())?;
        }
        let definitions = "wait --for=condition=Established --timeout=30s crd/storefronts.shop.example.com \
                           crd/ledgers.finance.example.com crd/markets.shop.example.com";
        cluster.kubectl_output(&definitions.split_whitespace().collect::<Vec<_>>())?;
        put(Tool::Person, include_str!("../sample/70-custom-resources.yaml"))?;
        let uid = cluster.kubectl_output(&[
            "get",
            "storefront/main",
            "--namespace=shop",
            "--output=jsonpath={.metadata.uid}",
        ])?;
        put(
            Tool::Helm,
            &include_str!("../sample/75-owned.yaml").replace("{{STOREFRONT_UID}}", &uid),
        )?;
        self.set_status(
            cluster,
            "storefront/main",
            "shop-operator",
            r#"{"status":{"replicas":2,"phase":"Live","revision":9007199254740993}}"#,
        )?;
        self.set_status(
            cluster,
            "service/web-public",
            "aws-load-balancer-controller",
            r#"{"status":{"loadBalancer":{"ingress":[{"hostname":"k8s-shop-web-0a1b2c3d4e.elb.eu-central-1.amazonaws.com"}]}}}"#,
        )
    }

    /// Writes a status as the controller of that type would.
    fn set_status(
        &self,
        cluster: &Cluster,
        object: &str,
        manager: &str,
        patch: &str,
    ) -> Result<(), SampleError> {
        cluster.kubectl_output(&[
            "patch",
            object,
            "--namespace=shop",
            "--subresource=status",
            "--type=merge",
            &format!("--field-manager={manager}"),
            &format!("--patch={patch}"),
        ])?;
        Ok(())
    }

    fn begin_deletion(&self, cluster: &Cluster) -> Result<(), SampleError> {
        cluster.kubectl_output(&[
            "delete",
            "configmap/being-deleted",
            "--namespace=shop",
            "--wait=false",
        ])?;
        Ok(())
    }

    fn install_admission(&self, cluster: &Cluster) -> Result<(), SampleError> {
        let admission = include_str!("../sample/80-admission.yaml")
            .replace("{{WEBHOOK_URL}}", &self.webhook.url())
            .replace("{{WEBHOOK_CA}}", &self.webhook.ca_bundle());
        cluster.kubectl_with_input(Tool::Person.arguments(), &admission)?;
        self.wait_for_admission(cluster)?;
        let late = include_str!("../sample/90-after-admission.yaml");
        cluster.kubectl_with_input(Tool::Person.arguments(), late)?;
        Ok(())
    }

    /// Waits until admission is active: the API server learns of webhook configurations by watch, a
    /// moment after they are written.
    fn wait_for_admission(&self, cluster: &Cluster) -> Result<(), SampleError> {
        let probe = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: probe, namespace: shop, \
                     annotations: { shop.example.com/forbidden: \"true\" } }\n";
        let began = std::time::Instant::now();
        loop {
            let tried = cluster
                .kubectl_with_input(&["create", "--dry-run=server", "--output=yaml", "-f", "-"], probe);
            match tried {
                Err(KubectlError::Failed { message, .. })
                    if message.contains("shop-gatekeeper") || message.contains("are forbidden") =>
                {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
                Ok(_) if began.elapsed() > QUIET_DEADLINE => {
                    return Err(SampleError::Kubectl(KubectlError::Failed {
                        arguments: "create --dry-run=server".into(),
                        message: "the webhooks have no effect".into(),
                    }));
                }
                Ok(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

fn settle(cluster: &Cluster) -> Result<(), SampleError> {
    let quiet = wait_until_quiet(cluster, QUIET_DEADLINE)?;
    if quiet.reached {
        Ok(())
    } else {
        Err(SampleError::Unsettled(quiet))
    }
}

/// Returns the address of the cluster's DNS Service: the base address of the Service range plus 10, as in kubeadm.
fn dns_address(cluster: &Cluster) -> Ipv4Addr {
    let range = cluster.options().service_cidr.as_deref().unwrap_or(SERVICE_RANGE);
    let base: Ipv4Addr = range
        .split('/')
        .next()
        .and_then(|base| base.parse().ok())
        .expect("a cluster does not start with a range that is none");
    Ipv4Addr::from_bits(base.to_bits() + 10)
}
