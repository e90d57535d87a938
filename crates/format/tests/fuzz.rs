//! Fuzz tests of the byte parsers. Each run replays the stored corpus, then mutates its entries at random for
//! `LIFEBOAT_FUZZ_ITERATIONS` rounds (`make fuzz` sets millions). A failing input is written to
//! `target/fuzz/` with its seed; add it to `fuzz/corpus/<target>/` to replay it in every run.
//!
//! The mutator runs in this process, because cargo-fuzz needs a nightly compiler.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use lifeboat_format::pack::reader::FrameOpener;
use lifeboat_format::{
    Compressor, Decompressor, FrameLocation, ListMeta, PackError, PackKind, PackVersion, SplitError,
    Splitter, VerifyingKey, open_envelope, peek_metadata, read_index,
};
use lifeboat_model::{Diagnostic as _, ErrorKind, PackName};

#[path = "fuzz/pack.rs"]
mod pack;

use pack::Pack;

/// The number of rounds for each cheap target if the variable is not set: some seconds in a debug build.
const DEFAULT_ITERATIONS: u64 = 20_000;

/// The maximum size of a mutated entry in bytes. The size limits of the parsers have their own tests.
const MAX_INPUT: usize = 16 << 10;

fn iterations() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test has no argument parser")]
    let text = std::env::var("LIFEBOAT_FUZZ_ITERATIONS");
    text.map_or(DEFAULT_ITERATIONS, |text| {
        text.parse().expect("a number of rounds")
    })
}

/// xorshift64*, a pseudorandom generator that is reproducible from its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Tokens of the grammars.
const WORDS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"null",
    b"\"items\":[",
    b"\"metadata\":{",
    b"\"name\":\"",
    b"\"kind\":",
    b"\"continue\":\"",
    b"\\u0000",
    b"\\ud800",
    b"-1e999",
    b"18446744073709551616",
    b"LBPACK\x01\x01",
    b"\xff\xff\xff\xff",
    b"\x10\x00\x00\x80",
    b"\x28\xb5\x2f\xfd",
    b"p-0000.pack",
    b"../",
];

fn mutate(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        match random.below(8) {
            0 if !input.is_empty() => {
                let at = at.min(input.len() - 1);
                input[at] ^= 1 << random.below(8);
            }
            1 if !input.is_empty() => {
                let at = at.min(input.len() - 1);
                input[at] = random.next() as u8;
            }
            2 => input.truncate(at),
            3 => {
                let end = (at + random.below(40)).min(input.len());
                input.drain(at..end);
            }
            4 => {
                let word = WORDS[random.below(WORDS.len())];
                input.splice(at..at, word.iter().copied());
            }
            5 => {
                let end = (at + random.below(200)).min(input.len());
                let piece = input[at..end].to_vec();
                let to = random.below(input.len() + 1);
                input.splice(to..to, piece);
            }
            6 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let word = WORDS[random.below(WORDS.len())];
                let end = (at + word.len()).min(input.len());
                input.splice(at..end, word.iter().copied());
            }
        }
    }
    input.truncate(MAX_INPUT);
    input
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// `cost` is how much longer a round takes than one of the splitter; the number of rounds is divided by it.
fn fuzz(target: &str, cost: u64, try_input: impl Fn(&[u8])) {
    let corpus = corpus(target);
    let attempt = |input: &[u8], origin: &str| {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| try_input(input))) else {
            return;
        };
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("fuzz");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{target}-{}", lifeboat_format::Sha256::of(input)));
        std::fs::write(&file, input).unwrap();
        eprintln!("{target} fails on {origin}; the input is in {}", file.display());
        std::panic::resume_unwind(panic);
    };
    for (index, input) in corpus.iter().enumerate() {
        attempt(input, &format!("entry {index} of the corpus"));
    }
    let rounds = iterations() / cost;
    for seed in 1..=rounds {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        attempt(&mutate(&mut random, &corpus), &format!("seed {seed}"));
    }
    println!("{target}: {} corpus entries, {rounds} mutations", corpus.len());
}

fn split(chunks: &[&[u8]]) -> Result<(ListMeta, Vec<Vec<u8>>), SplitError> {
    let mut splitter = Splitter::new();
    let mut items = Vec::new();
    for chunk in chunks {
        splitter.push(chunk, |item| {
            items.push(item.to_vec());
            Ok::<_, SplitError>(())
        })?;
    }
    splitter.finish().map(|meta| (meta, items))
}

/// The splitter gives the same result for every split of the input, and agrees with serde_json on what it
/// accepts.
#[test]
fn splitter() {
    fuzz("splitter", 1, |input| {
        let whole = split(&[input]);
        let cut = input.len() / 2 + input.first().map_or(0, |byte| *byte as usize % 7);
        let (first, second) = input.split_at(cut.min(input.len()));
        let halves = split(&[first, second]);
        match (&whole, &halves) {
            (Ok(whole), Ok(halves)) => assert_eq!(whole, halves),
            (Err(_), Err(_)) => {}
            _ => panic!("{whole:?} in one piece, {halves:?} in two"),
        }
        for item in whole.iter().flat_map(|(_, items)| items) {
            // A full parse uses the last of duplicate keys and decodes escaped keys; API servers send
            // neither.
            let plain = memchr::memmem::find_iter(item, b"\"metadata\"").count() == 1
                && memchr::memmem::find(item, b"\\u").is_none();
            if plain
                && let Ok(found) = peek_metadata(item)
                && let Ok(value) = serde_json::from_slice::<serde_json::Value>(item)
            {
                assert_eq!(value["metadata"]["name"].as_str(), Some(&*found.name));
                assert_eq!(value["kind"].is_string(), found.has_kind);
            }
        }
        if let Ok(value) = serde_json::from_slice::<serde_json::Value>(input)
            && let Ok((meta, items)) = whole
        {
            assert_eq!(value["items"].as_array().map_or(0, Vec::len), items.len());
            assert_eq!(value["kind"].as_str(), Some(meta.kind.as_str()));
        }
        let _ = peek_metadata(input);
    });
}

/// A pack is read completely and as written, or refused. Encrypted invalid content is refused too.
#[test]
fn frames() {
    let known = corpus("frames");
    let identified = Pack::new();
    fuzz("frames", 10, |input| {
        let mut reader = identified.reader();
        let mut frames = 0;
        let mut count = |_: lifeboat_format::Frame<'_>| {
            frames += 1;
            Ok::<_, PackError>(())
        };
        let (first, second) = input.split_at(input.len() / 3);
        let read = reader
            .push(first, &mut count)
            .and_then(|()| reader.push(second, &mut count))
            .and_then(|()| reader.finish());
        match read {
            Ok(summary) => {
                assert!(
                    known.iter().any(|pack| pack == input),
                    "something else than what was written opens"
                );
                assert_eq!((summary.frames, summary.bytes), (frames, input.len() as u64));
            }
            Err(error) => assert!(error.kind() != ErrorKind::Bug, "{error}"),
        }
        let opener = FrameOpener::new(
            PackVersion::V2,
            PackKind::Objects,
            &identified.key,
            identified.identity(),
        )
        .unwrap();
        let place = FrameLocation {
            frame: 0,
            offset: 8,
            length: input.len() as u32,
        };
        if opener.open(place, input).is_ok() {
            let written = known
                .iter()
                .any(|pack| memchr::memmem::find(pack, input).is_some());
            assert!(written, "something else than a frame that was written opens");
        }

        // Encrypts the same bytes as authentic content, as a faulty writer could.
        let mut sealed = Vec::new();
        let mut writer = identified.writer();
        writer.append(input, &mut sealed).unwrap();
        writer.finish(&mut sealed).unwrap();
        let mut reader = identified.reader();
        let _ = reader.push(&sealed, |_| Ok::<_, PackError>(()));
        let mut plaintext = Vec::new();
        let _ = Decompressor::new().unwrap().decompress(input, &mut plaintext);
    });
}

/// Index lines are parsed or refused, and never more entries are returned than there are lines.
#[test]
fn index() {
    let name = PackName::parse("primary/i-0000.pack").unwrap();
    fuzz("index", 1, |input| {
        let groups: Vec<_> = read_index(input, &name).collect();
        let entries: usize = groups
            .iter()
            .flatten()
            .map(|(_, entries)| entries.len() + 1)
            .sum();
        let lines = input.iter().filter(|byte| **byte == b'\n').count();
        assert!(entries <= lines, "{entries} from {lines} lines");
        if groups.iter().all(Result::is_ok) {
            assert_eq!(entries, lines);
        }
    });
}

/// Only the envelope that was signed can be opened.
#[test]
fn manifest() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1");
    let key = VerifyingKey::from_pem(&std::fs::read_to_string(fixture.join("signer.pem")).unwrap()).unwrap();
    let genuine = open_envelope(&std::fs::read(fixture.join("manifest.json")).unwrap(), &key).unwrap();
    fuzz("manifest", 2, |input| {
        if let Ok(opened) = open_envelope(input, &key) {
            assert_eq!(opened, genuine);
        }
    });
}

/// Writes the first entries of the corpus: `cargo test -p lifeboat-format --test fuzz -- --ignored`.
#[test]
#[ignore = "writes into the source tree; run once when a target is added"]
fn write_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = root.join("fuzz/corpus").join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    };
    let splitter: &[(&str, &str)] = &[
        (
            "empty-list",
            r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}"#,
        ),
        ("null-items", r#"{"apiVersion":"v1","items":null,"kind":"L"}"#),
        (
            "page",
            r#"{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"42","continue":"eyJ2Ij\"}]","remainingItemCount":7},"items":[{"metadata":{"name":"a","namespace":"b","uid":"c","labels":{"x":"}]\\\"{["},"deletionTimestamp":"2026-01-01T00:00:00Z"},"data":{"k":"AAEC"}},{"apiVersion":"v1","kind":"Secret","metadata":{"name":"d\u002d\"","managedFields":[{"fieldsV1":{"f:data":{".":{}}}}]}}]}"#,
        ),
        (
            "pretty",
            "{\n  \"apiVersion\": \"a/v1\",\n  \"items\": [\n    {\n      \"metadata\": { \"name\": \"a\" },\n      \"n\": [1.10, -2e9, true, null]\n    }\n  ],\n  \"kind\": \"XList\",\n  \"metadata\": {}\n}\n",
        ),
        (
            "status",
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old","reason":"Expired","code":410}"#,
        ),
        ("html", "<html><body>502 Bad Gateway</body></html>"),
    ];
    for (name, text) in splitter {
        write("splitter", name, text.as_bytes());
    }

    let identified = Pack::new();
    let mut compressor = Compressor::new().unwrap();
    let mut pack = |contents: &[&[u8]]| {
        let mut out = Vec::new();
        let mut writer = identified.writer();
        for content in contents {
            writer
                .append(&compressor.compress(content).unwrap(), &mut out)
                .unwrap();
        }
        writer.finish(&mut out).unwrap();
        out
    };
    write("frames", "empty", &pack(&[]));
    write("frames", "one", &pack(&[b"{\"metadata\":{\"name\":\"a\"}}\n"]));
    write(
        "frames",
        "three",
        &pack(&[b"{}\n", &b"{\"a\":1}\n".repeat(30), b""]),
    );
    let zstd = Compressor::new()
        .unwrap()
        .compress(&b"lifeboat ".repeat(40))
        .unwrap();
    write("frames", "content-alone", &zstd);

    let digest = "A".repeat(22);
    let whole = "A".repeat(43);
    let head = r#"{"pack":"p-0000.pack","frame":3,"offset":1234,"length":567,"type":"deployments.apps"}"#;
    write(
        "index",
        "group",
        format!("{head}\n[\"shop\",\"cart\",\"{digest}\",42]\n").as_bytes(),
    );
    write(
        "index",
        "groups",
        format!("{head}\n{head}\n[\"\",\"a\\\"\\u00e9\",\"{digest}\",0]\n[\"\",\"b\",\"{digest}\",9]\n")
            .as_bytes(),
    );
    write(
        "index",
        "group-v1",
        format!("{head}\n[\"shop\",\"cart\",\"{whole}\",42,\"u-1\"]\n").as_bytes(),
    );
    write("index", "empty", b"");

    write(
        "manifest",
        "genuine",
        &std::fs::read(root.join("fixtures/v1/manifest.json")).unwrap(),
    );
    write(
        "manifest",
        "unsigned",
        br#"{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[]}"#,
    );
}
