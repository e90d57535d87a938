//! The flags of each server, each with its reason where it is not obvious.

use std::net::Ipv4Addr;
use std::path::Path;

use super::ClusterOptions;

pub(super) const ETCD: &str = "etcd";
pub(super) const API_SERVER: &str = "kube-apiserver";
pub(super) const CONTROLLERS: &str = "kube-controller-manager";
pub(super) const SCHEDULER: &str = "kube-scheduler";
pub(super) const KWOK: &str = "kwok";

/// kubeadm's default range of Service addresses.
pub(super) const SERVICE_RANGE: &str = "10.96.0.0/16";
pub(super) const FIRST_SERVICE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// The address published as the endpoint of the Service `kubernetes`. The API server rejects a
/// loopback address there; without an address it looks for a default route, which a machine without
/// a network lacks. This address is reserved for documentation (RFC 5737).
const ADVERTISED: &str = "192.0.2.1";

/// The ports of one cluster.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) etcd: u16,
    pub(super) etcd_peer: u16,
    pub(super) api_server: u16,
}

/// Returns the first address of a Service range, which the Service `kubernetes` gets.
pub(super) fn first_service_address(range: &str) -> Option<Ipv4Addr> {
    let (base, bits) = range.split_once('/')?;
    let base: Ipv4Addr = base.parse().ok()?;
    let bits: u32 = bits.parse().ok()?;
    // The API server accepts ranges of a limited size: /12 to /30.
    (12..=30)
        .contains(&bits)
        .then(|| Ipv4Addr::from_bits(base.to_bits() + 1))
}

pub(super) fn etcd(folder: &Path, ports: Ports) -> Vec<String> {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer);
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // The data is deleted with the cluster.
        "--unsafe-no-fsync".into(),
        // Room for the largest benchmark: 300,000 objects of several kilobytes.
        "--quota-backend-bytes=8589934592".into(),
        "--snapshot-count=100000".into(),
        "--log-level=warn".into(),
    ]
}

pub(super) fn api_server(folder: &Path, ports: Ports, options: &ClusterOptions) -> Vec<String> {
    let pki = |name: &str| folder.join("pki").join(name).display().to_string();
    let range = options.service_cidr.as_deref().unwrap_or(SERVICE_RANGE);
    let mut flags = vec![
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        "--bind-address=127.0.0.1".into(),
        format!("--advertise-address={ADVERTISED}"),
        format!("--secure-port={}", ports.api_server),
        format!("--cert-dir={}", pki("")),
        format!("--tls-cert-file={}", pki("server.crt")),
        format!("--tls-private-key-file={}", pki("server.key")),
        format!("--client-ca-file={}", pki("ca.crt")),
        format!("--token-auth-file={}", pki("tokens.csv")),
        "--authorization-mode=Node,RBAC".into(),
        format!("--service-account-key-file={}", pki("service-account.pub")),
        format!(
            "--service-account-signing-key-file={}",
            pki("service-account.key")
        ),
        format!("--service-cluster-ip-range={range}"),
        "--allow-privileged=true".into(),
        // The aggregation layer: without these flags the API server does not proxy to any APIService.
        format!("--requestheader-client-ca-file={}", pki("front-proxy-ca.crt")),
        "--requestheader-allowed-names=front-proxy-client".into(),
        "--requestheader-username-headers=X-Remote-User".into(),
        "--requestheader-group-headers=X-Remote-Group".into(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
        format!("--proxy-client-cert-file={}", pki("front-proxy-client.crt")),
        format!("--proxy-client-key-file={}", pki("front-proxy-client.key")),
        // Measurements should show the server's speed, not its request limits: API Priority and
        // Fairness stays on, with more seats than two cores can use.
        "--max-requests-inflight=3000".into(),
        "--max-mutating-requests-inflight=1500".into(),
    ];
    // The flag may be repeated: the first issuer signs tokens, and the others are accepted.
    let has_issuer = |flag: &String| flag.starts_with("--service-account-issuer=");
    if !options.api_server_args.iter().any(has_issuer) {
        flags.push("--service-account-issuer=https://kubernetes.default.svc".into());
    }
    flags.extend(options.api_server_args.iter().cloned());
    flags
}

pub(super) fn controllers(folder: &Path) -> Vec<String> {
    let pki = |name: &str| folder.join("pki").join(name).display().to_string();
    vec![
        format!(
            "--kubeconfig={}",
            folder.join("kube-controller-manager.kubeconfig").display()
        ),
        // It serves nothing that is needed, and one port less avoids collisions.
        "--secure-port=0".into(),
        "--leader-elect=false".into(),
        "--use-service-account-credentials=true".into(),
        format!(
            "--service-account-private-key-file={}",
            pki("service-account.key")
        ),
        format!("--root-ca-file={}", pki("ca.crt")),
        format!("--cluster-signing-cert-file={}", pki("ca.crt")),
        format!("--cluster-signing-key-file={}", pki("ca.key")),
        // The defaults are for clusters that share their API server.
        "--kube-api-qps=500".into(),
        "--kube-api-burst=1000".into(),
        // The default of 15 seconds would be most of the time of a test.
        "--pvclaimbinder-sync-period=1s".into(),
        "--profiling=false".into(),
    ]
}

pub(super) fn scheduler(folder: &Path) -> Vec<String> {
    vec![
        format!(
            "--kubeconfig={}",
            folder.join("kube-scheduler.kubeconfig").display()
        ),
        "--secure-port=0".into(),
        "--leader-elect=false".into(),
        "--kube-api-qps=500".into(),
        "--kube-api-burst=1000".into(),
    ]
}

pub(super) fn kwok(folder: &Path) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", folder.join("kwok.kubeconfig").display()),
        format!("--config={}", folder.join("kwok-stages.yaml").display()),
        "--manage-all-nodes=true".into(),
        "--node-lease-duration-seconds=40".into(),
        "--cidr=10.244.0.0/16".into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ranges_that_the_server_takes_have_a_first_address() {
        assert_eq!(
            first_service_address("10.96.0.0/16"),
            Some(Ipv4Addr::new(10, 96, 0, 1))
        );
        for wrong in [
            "",
            "10.96.0.0",
            "10.96.0.0/8",
            "10.96.0/16",
            "fd00::/108",
            "10.96.0.0/31",
        ] {
            assert_eq!(first_service_address(wrong), None, "{wrong}");
        }
    }
}
