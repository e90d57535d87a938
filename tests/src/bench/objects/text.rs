//! Configuration and documentation: text by one author that many objects contain.

use super::rng::Rng;

/// The number of applications; a cluster runs each of them several times, for its tenants, stages and regions.
pub(super) const APPLICATIONS: usize = 300;

const WORDS: [&str; 64] = [
    "server",
    "timeout",
    "retries",
    "enabled",
    "upstream",
    "cache",
    "replica",
    "internal",
    "region",
    "bucket",
    "level",
    "metrics",
    "port",
    "limit",
    "queue",
    "orders",
    "payment",
    "token",
    "zone",
    "pool",
    "size",
    "max",
    "min",
    "interval",
    "datasource",
    "url",
    "client",
    "consumer",
    "producer",
    "topic",
    "group",
    "session",
    "cookie",
    "path",
    "prefix",
    "header",
    "trace",
    "sampling",
    "rate",
    "batch",
    "window",
    "buffer",
    "flush",
    "index",
    "search",
    "mail",
    "host",
    "user",
    "schema",
    "table",
    "feature",
    "flag",
    "rollout",
    "threshold",
    "alert",
    "window",
    "idle",
    "keepalive",
    "backoff",
    "jitter",
    "thread",
    "worker",
    "scheduler",
    "storage",
];

/// Returns the configuration of an application, about `bytes` long. Its lines belong to the chart
/// and are the same in all instances, except for about one in eight, which belongs to the instance:
/// a host name, a number, or a line that a user added. How much instances differ is an assumption,
/// and the one with the largest effect on the size.
pub(super) fn configuration(application: usize, bytes: usize, instance: &str, own: &mut Rng) -> String {
    let mut chart = Rng::new(0xc0ff_ee00 + application as u64);
    let mut text = String::with_capacity(bytes + 80);
    while text.len() < bytes {
        if chart.below(12) == 0 {
            text.push_str(&format!("\n# {} {}\n", chart.pick(&WORDS), chart.pick(&WORDS)));
        }
        let key = key(&mut chart);
        let value = value(&mut chart);
        if own.below(8) > 0 {
            text.push_str(&format!("{key}={value}\n"));
            continue;
        }
        text.push_str(&match own.below(4) {
            0 => format!("{key}=https://{instance}.shop.example.com/{}\n", own.pick(&WORDS)),
            1 | 2 => format!("{key}={}\n", own.below(100_000)),
            _ => format!(
                "{key}={value}\n{}.{}={}\n",
                own.pick(&WORDS),
                own.pick(&WORDS),
                own.hex(12)
            ),
        });
    }
    text
}

/// Returns the name of a setting: `orders.cache.max`.
fn key(chart: &mut Rng) -> String {
    let parts: Vec<&str> = (0..2 + chart.below(3)).map(|_| chart.pick(&WORDS)).collect();
    parts.join(".")
}

fn value(chart: &mut Rng) -> String {
    match chart.below(6) {
        0 => "true".to_owned(),
        1 => chart.below(10_000).to_string(),
        2 => format!("{}ms", 50 * chart.below(100)),
        3 => format!(
            "http://{}-{}.svc.cluster.local:8080",
            chart.pick(&WORDS),
            chart.pick(&WORDS)
        ),
        _ => format!("{}-{}", chart.pick(&WORDS), chart.pick(&WORDS)),
    }
}

/// Returns the environment variables of an application's container: the names and most values belong to the chart.
pub(super) fn environment(application: usize, instance: &str, own: &mut Rng) -> Vec<(String, String)> {
    let mut chart = Rng::new(0xe4f1_0000 + application as u64);
    (0..6 + chart.below(10))
        .map(|_| {
            let name = key(&mut chart).to_uppercase().replace('.', "_");
            let value = value(&mut chart);
            let value = match own.below(16) {
                0 => format!("{instance}.shop.example.com"),
                1 => own.below(100_000).to_string(),
                _ => value,
            };
            (name, value)
        })
        .collect()
}

/// Sentences as in API documentation. Few authors document types, and they copy from each other and
/// from Kubernetes itself: the same sentences occur in all definitions.
pub(super) struct TextGenerator(Vec<String>);

impl TextGenerator {
    /// Creates 600 sentences.
    pub(super) fn new() -> Self {
        const BEGIN: [&str; 12] = [
            "Specifies",
            "Defines",
            "Optional:",
            "Selects",
            "Configures",
            "Describes",
            "If set, this is",
            "Must be unique within the",
            "Represents",
            "Required when using",
            "The name of",
            "Limits",
        ];
        const MIDDLE: [&str; 16] = [
            "the resources that",
            "a list of keys which",
            "the strategy by which",
            "the reference to an object that",
            "the number of seconds after which",
            "the policy according to which",
            "the set of labels that",
            "the maximum amount of data that",
            "the secret in the same namespace from which",
            "the node selector terms by which",
            "the network endpoint at which",
            "the interval at which",
            "the security context under which",
            "the probe by whose result",
            "the volume into which",
            "the port on which",
        ];
        const END: [&str; 16] = [
            "is applied to the pods of this",
            "will be evaluated by the controller before the",
            "must match for the request to be sent to the",
            "is mounted read-only into the containers of the",
            "defaults to the value that the operator has for the",
            "cannot be updated once the object has a",
            "is ignored unless the feature is enabled on the",
            "may be overridden by an annotation of the",
            "takes precedence over the field of the same name in the",
            "is only honoured by clients that know the",
            "will be garbage collected together with the",
            "is retried with exponential back-off for each",
            "has no effect on objects that already have a",
            "is expected to be unique among all instances of the",
            "is copied verbatim into the status of the",
            "can be selected with a relabelling rule of the",
        ];
        let mut rng = Rng::new(0x5e47);
        Self(
            (0..600)
                .map(|_| {
                    format!(
                        "{} {} {} {} {}.",
                        rng.pick(&BEGIN),
                        rng.pick(&MIDDLE),
                        rng.pick(&END),
                        rng.pick(&WORDS),
                        rng.pick(&WORDS)
                    )
                })
                .collect(),
        )
    }

    /// Returns one to four sentences.
    pub(super) fn some(&self, rng: &mut Rng) -> String {
        let some: Vec<&str> = (0..1 + rng.below(4))
            .map(|_| self.0[rng.below(self.0.len())].as_str())
            .collect();
        some.join(" ")
    }
}

/// Returns a name for a field or a metric.
pub(super) fn word(rng: &mut Rng) -> &'static str {
    rng.pick(&WORDS)
}
