//! Measures the throughput of each stage of a capture, in MB/s of list response bytes on one core, and the
//! size of the output. `cargo bench -p lifeboat-format` prints the results; there are no assertions.
#![expect(
    clippy::unwrap_used,
    reason = "a broken benchmark should stop where it breaks"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use lifeboat_format::{
    Batch, BatchBuilder, Compressor, Decompressor, PackError, PackWriter, Sha256, SplitError, Splitter,
    peek_metadata,
};
use lifeboat_model::TypeName;

#[path = "../tests/fuzz/pack.rs"]
mod pack;

use pack::Pack;

/// Repetitions of each measurement. The best one counts, because other work on the machine only slows it
/// down.
const ROUNDS: usize = 5;

/// The minimum duration of one measurement.
const LONG_ENOUGH: Duration = Duration::from_millis(100);

fn main() {
    let lists = [("deployments", deployments(4_000)), ("secrets", secrets(4_000))];
    for (name, list) in &lists {
        println!("{name}: {:.1} MB", list.len() as f64 / 1e6);
        stages(list.as_bytes());
    }
}

/// Returns the CPU time of this thread in seconds, so that the time of other processes does not count.
fn processor_time() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split(' ').next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

fn stages(list: &[u8]) {
    let rate = |name: &str, bytes: usize, mut work: Box<dyn FnMut() + '_>| {
        let best = (0..ROUNDS)
            .map(|_| {
                // The kernel updates the CPU time in ticks of a few milliseconds.
                let (before, start) = (processor_time(), Instant::now());
                let mut times = 0.0;
                while start.elapsed() < LONG_ENOUGH {
                    work();
                    times += 1.0;
                }
                let elapsed = match (before, processor_time()) {
                    (Some(before), Some(after)) => after - before,
                    _ => start.elapsed().as_secs_f64(),
                };
                elapsed / times
            })
            .fold(f64::MAX, f64::min);
        println!("  {name:<28} {:>8.0} MB/s", bytes as f64 / best / 1e6);
    };
    // 16 kB is the maximum size of a TLS record.
    for chunk in [16 << 10, 256 << 10] {
        rate(
            &format!("split, chunks of {} kB", chunk >> 10),
            list.len(),
            Box::new(move || {
                let mut splitter = Splitter::new();
                let mut bytes = 0;
                for chunk in list.chunks(chunk) {
                    splitter
                        .push(chunk, |item| {
                            bytes += item.len();
                            Ok::<_, SplitError>(())
                        })
                        .unwrap();
                }
                black_box((splitter.finish().unwrap(), bytes));
            }),
        );
    }
    let mut items: Vec<Vec<u8>> = Vec::new();
    Splitter::new()
        .push(list, |item| {
            items.push(item.to_vec());
            Ok::<_, SplitError>(())
        })
        .unwrap();
    let items = &items;
    rate(
        "glance",
        list.len(),
        Box::new(move || {
            for item in items {
                black_box(peek_metadata(item).unwrap());
            }
        }),
    );
    rate(
        "sha256 of each object",
        list.len(),
        Box::new(move || {
            for item in items {
                black_box(Sha256::of(item));
            }
        }),
    );
    rate(
        "batch lines (metadata, sha256)",
        list.len(),
        Box::new(move || {
            let mut builder = BatchBuilder::new("apps/v1", "Deployment", TypeName::from("deployments.apps"));
            let mut nothing = Compressor::with_level(-100).unwrap();
            for item in items {
                builder.push(item).unwrap();
                if builder.is_full() {
                    black_box(builder.finish(&mut nothing).unwrap());
                }
            }
        }),
    );
    let lines = items.join(&b'\n');
    let lines = &lines;
    let batches: Vec<&[u8]> = lines.chunks(1 << 20).collect();
    let batches = &batches;
    for level in [-1, 1, 2, 3, 5] {
        let mut compressor = Compressor::with_level(level).unwrap();
        let packed: usize = batches
            .iter()
            .map(|batch| compressor.compress(batch).unwrap().len())
            .sum();
        rate(
            &format!(
                "zstd level {level} ({:.2} %)",
                100.0 * packed as f64 / lines.len() as f64
            ),
            list.len(),
            Box::new(move || {
                for batch in batches {
                    black_box(compressor.compress(batch).unwrap());
                }
            }),
        );
    }
    rate(
        "whole: split to pack",
        list.len(),
        Box::new(move || {
            black_box(whole(list));
        }),
    );
    let (pack, packed) = whole(list);
    println!(
        "  {:<28} {:>8.2} %",
        "pack of the list",
        100.0 * packed as f64 / list.len() as f64
    );
    rate(
        "AEAD of the packed bytes",
        packed,
        Box::new(move || {
            let mut out = Vec::with_capacity(1 << 20);
            let mut writer = pack_writer();
            for chunk in lines.chunks(150 << 10).take(1.max(packed / (150 << 10))) {
                out.clear();
                writer.append(chunk, &mut out).unwrap();
            }
            black_box(out);
        }),
    );
    let pack = &pack;
    rate(
        "read: open, unpack, digests",
        list.len(),
        Box::new(move || {
            let identified = Pack::new();
            let mut reader = identified.reader();
            for chunk in pack.chunks(256 << 10) {
                reader
                    .push(chunk, |frame| {
                        for line in frame.plaintext.split(|byte| *byte == b'\n') {
                            black_box(Sha256::of(line));
                        }
                        Ok::<_, PackError>(())
                    })
                    .unwrap();
            }
            black_box(reader.finish().unwrap());
        }),
    );
    let frames: Vec<Vec<u8>> = batches
        .iter()
        .map(|batch| Compressor::new().unwrap().compress(batch).unwrap())
        .collect();
    rate(
        "unzstd",
        list.len(),
        Box::new(move || {
            let mut decompressor = Decompressor::new().unwrap();
            let mut plaintext = Vec::new();
            for frame in &frames {
                decompressor.decompress(frame, &mut plaintext).unwrap();
            }
            black_box(plaintext);
        }),
    );
}

/// Runs all stages of a capture over the bytes of a list, on one core.
fn whole(list: &[u8]) -> (Vec<u8>, usize) {
    let mut splitter = Splitter::new();
    let mut builder = BatchBuilder::new("apps/v1", "Deployment", TypeName::from("deployments.apps"));
    let mut compressor = Compressor::new().unwrap();
    let mut writer = pack_writer();
    let mut out = Vec::new();
    let mut append = |batch: Batch, out: &mut Vec<u8>| {
        writer.append(&batch.compressed, out).unwrap();
    };
    for chunk in list.chunks(16 << 10) {
        splitter
            .push(chunk, |item| {
                builder.push(item).unwrap();
                if builder.is_full() {
                    append(builder.finish(&mut compressor).unwrap(), &mut out);
                }
                Ok::<_, SplitError>(())
            })
            .unwrap();
    }
    splitter.finish().unwrap();
    append(builder.finish(&mut compressor).unwrap(), &mut out);
    writer.finish(&mut out).unwrap();
    let packed = out.len();
    (out, packed)
}

fn pack_writer() -> PackWriter {
    Pack::new().writer()
}

/// Returns reproducible pseudorandom text that does not compress.
fn noise(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b"0123456789abcdef"[(state >> 32) as usize % 16])
        })
        .collect()
}

fn list(kind: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!(
        r#"{{"kind":"{kind}","apiVersion":"apps/v1","metadata":{{"resourceVersion":"123456"}},"items":[{}]}}"#,
        items.join(",")
    )
}

fn metadata(seed: u64, name: &str, manager: &str, fields: &str) -> String {
    let uid = noise(seed, 32);
    format!(
        r#""metadata":{{"name":"{name}-{seed}","namespace":"team-{}","uid":"{uid}","resourceVersion":"{}","generation":2,"creationTimestamp":"2026-0{}-1{}T0{}:4{}:22Z","labels":{{"app.kubernetes.io/name":"{name}","app.kubernetes.io/instance":"{name}-{seed}","app.kubernetes.io/managed-by":"Helm","helm.sh/chart":"{name}-1.{}.0"}},"annotations":{{"deployment.kubernetes.io/revision":"1","meta.helm.sh/release-name":"{name}-{seed}","meta.helm.sh/release-namespace":"team-{}"}},"managedFields":[{{"manager":"{manager}","operation":"Update","apiVersion":"apps/v1","time":"2026-03-11T04:42:22Z","fieldsType":"FieldsV1","fieldsV1":{{"f:metadata":{{"f:annotations":{{".":{{}},"f:meta.helm.sh/release-name":{{}},"f:meta.helm.sh/release-namespace":{{}}}},"f:labels":{{".":{{}},"f:app.kubernetes.io/instance":{{}},"f:app.kubernetes.io/managed-by":{{}},"f:app.kubernetes.io/name":{{}},"f:helm.sh/chart":{{}}}}}},{fields}}}}}]}}"#,
        seed % 40,
        1_000_000 + seed * 13,
        seed % 9 + 1,
        seed % 9,
        seed % 9,
        seed % 9,
        seed % 7,
        seed % 40,
    )
}

fn deployments(count: u64) -> String {
    let fields = r#""f:spec":{"f:progressDeadlineSeconds":{},"f:replicas":{},"f:revisionHistoryLimit":{},"f:selector":{},"f:strategy":{"f:rollingUpdate":{".":{},"f:maxSurge":{},"f:maxUnavailable":{}},"f:type":{}},"f:template":{"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/instance":{},"f:app.kubernetes.io/name":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"main\"}":{".":{},"f:env":{".":{},"k:{\"name\":\"DATABASE_URL\"}":{".":{},"f:name":{},"f:value":{}}},"f:image":{},"f:imagePullPolicy":{},"f:livenessProbe":{".":{},"f:failureThreshold":{},"f:httpGet":{".":{},"f:path":{},"f:port":{},"f:scheme":{}},"f:periodSeconds":{},"f:successThreshold":{},"f:timeoutSeconds":{}},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:name":{},"f:protocol":{}}},"f:resources":{".":{},"f:limits":{".":{},"f:memory":{}},"f:requests":{".":{},"f:cpu":{},"f:memory":{}}}}},"f:dnsPolicy":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:serviceAccountName":{}}}}"#;
    list(
        "DeploymentList",
        (0..count).map(|seed| {
            let metadata = metadata(seed, "cart", "helm", fields);
            format!(
                r#"{{{metadata},"spec":{{"replicas":{},"selector":{{"matchLabels":{{"app.kubernetes.io/name":"cart","app.kubernetes.io/instance":"cart-{seed}"}}}},"template":{{"metadata":{{"labels":{{"app.kubernetes.io/name":"cart","app.kubernetes.io/instance":"cart-{seed}"}}}},"spec":{{"containers":[{{"name":"main","image":"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/cart@sha256:{}","ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}}],"env":[{{"name":"DATABASE_URL","value":"postgres://cart-{seed}.db.internal:5432/cart"}}],"resources":{{"limits":{{"memory":"256Mi"}},"requests":{{"cpu":"100m","memory":"128Mi"}}}},"livenessProbe":{{"httpGet":{{"path":"/healthz","port":"http","scheme":"HTTP"}},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"cart","serviceAccount":"cart","securityContext":{{}},"schedulerName":"default-scheduler"}}}},"strategy":{{"type":"RollingUpdate","rollingUpdate":{{"maxUnavailable":"25%","maxSurge":"25%"}}}},"revisionHistoryLimit":10,"progressDeadlineSeconds":600}},"status":{{"observedGeneration":2,"replicas":2,"updatedReplicas":2,"readyReplicas":2,"availableReplicas":2,"conditions":[{{"type":"Available","status":"True","lastUpdateTime":"2026-03-11T04:42:22Z","lastTransitionTime":"2026-03-11T04:42:22Z","reason":"MinimumReplicasAvailable","message":"Deployment has minimum availability."}}]}}}}"#,
                seed % 5,
                noise(seed % 300, 64),
            )
        }),
    )
}

fn secrets(count: u64) -> String {
    let fields = r#""f:data":{".":{},"f:password":{},"f:username":{}},"f:type":{}"#;
    list(
        "SecretList",
        (0..count).map(|seed| {
            let metadata = metadata(seed, "credentials", "kubectl-create", fields);
            format!(
                r#"{{{metadata},"data":{{"password":"{}","username":"YWRtaW4="}},"type":"Opaque"}}"#,
                noise(seed, 40 + (seed as usize % 900))
            )
        }),
    )
}
