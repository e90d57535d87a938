#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use futures::executor::block_on;
use lifeboat_model::{Code, Diagnostic as _, ErrorKind};
use tempfile::TempDir;

use crate::keys::*;
use crate::tiny_disk::{TinyDisk, skipped};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/worthless-keys")
        .join(name)
}

#[track_caller]
fn assert_code<T: std::fmt::Debug>(result: Result<T, PemError>, code: Code, guidance: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    let problem = error.problem().to_string();
    assert!(problem.contains(guidance), "{problem}");
    assert!(!problem.contains("BEGIN"), "{problem}");
}

#[test]
fn generated_keys_work_and_are_never_overwritten() {
    let folder = TempDir::new().unwrap();
    let keys = folder.path().join("new/keys");
    let files = generate(&keys).unwrap();
    let recipient = load_recipient(&files.recovery_public).unwrap();
    let unwrapper = PemUnwrapper::load(&files.recovery_key).unwrap();
    assert_eq!(*recipient.fingerprint(), unwrapper.fingerprint());
    assert_eq!(*recipient.fingerprint(), files.recovery);
    let signer = PemSigner::load(&files.signing_key).unwrap();
    let verifying = load_verifying(&files.signing_public).unwrap();
    assert_eq!(signer.fingerprint(), files.signing);
    let signature = block_on(signer.sign(b"message")).unwrap();
    verifying.verify(b"message", &signature).unwrap();
    verifying.verify(b"massage", &signature).unwrap_err();

    let before: Vec<_> = fs::read_dir(&keys)
        .unwrap()
        .map(|e| fs::read(e.unwrap().path()).unwrap())
        .collect();
    assert_eq!(before.len(), 4);
    assert_code(generate(&keys), Code::KeyExists, "never overwritten");
    let after: Vec<_> = fs::read_dir(&keys)
        .unwrap()
        .map(|e| fs::read(e.unwrap().path()).unwrap())
        .collect();
    assert_eq!(before, after);
    for entry in fs::read_dir(&keys).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn generate_writes_no_key_if_one_file_exists() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("signing.pub.pem"), "mine").unwrap();
    assert_code(generate(folder.path()), Code::KeyExists, "choose another folder");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_data_key_survives_wrapping_and_only_for_its_recipient() {
    let recipient = load_recipient(&fixture("recovery.pub.pem")).unwrap();
    let unwrapper = PemUnwrapper::load(&fixture("recovery.key.pem")).unwrap();
    let wrapped = recipient.wrap(&DataKey::from_random([7; 32])).unwrap();
    let key = block_on(unwrapper.unwrap_key(&wrapped)).unwrap();
    assert_eq!(key.expose(), &[7; 32]);

    let other = PemUnwrapper::load(&fixture("other-recovery.key.pem")).unwrap();
    let error = block_on(other.unwrap_key(&wrapped)).unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        (Code::RecoveryKeyMismatch, ErrorKind::Invalid)
    );
    assert!(
        error.to_string().contains(recipient.fingerprint().as_str()),
        "{error}"
    );

    let mut damaged = wrapped;
    damaged.ciphertext[100] ^= 1;
    let error = block_on(unwrapper.unwrap_key(&damaged)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn public_and_private_keys_are_told_apart() {
    assert_code(
        load_recipient(&fixture("recovery.key.pem")),
        Code::PublicPrivateKeyMismatch,
        "backups never need the private recovery key",
    );
    assert_code(
        load_verifying(&fixture("signing.key.pem")),
        Code::PublicPrivateKeyMismatch,
        "-pubout",
    );
    assert_code(
        PemUnwrapper::load(&fixture("recovery.pub.pem")),
        Code::PublicPrivateKeyMismatch,
        ".key.pem",
    );
    assert_code(
        PemSigner::load(&fixture("signing.pub.pem")),
        Code::PublicPrivateKeyMismatch,
        ".key.pem",
    );
}

#[test]
fn keys_of_another_kind_are_recognised() {
    let swapped = "not swapped";
    assert_code(
        load_recipient(&fixture("signing.pub.pem")),
        Code::UnsupportedKeyType,
        swapped,
    );
    assert_code(
        load_verifying(&fixture("recovery.pub.pem")),
        Code::UnsupportedKeyType,
        swapped,
    );
    assert_code(
        PemUnwrapper::load(&fixture("signing.key.pem")),
        Code::UnsupportedKeyType,
        swapped,
    );
    assert_code(
        PemSigner::load(&fixture("recovery.key.pem")),
        Code::UnsupportedKeyType,
        swapped,
    );
    assert_code(
        PemUnwrapper::load(&fixture("rsa-2048.key.pem")),
        Code::UnsupportedKeyType,
        "4096",
    );
    assert_code(
        load_recipient(&fixture("rsa-2048.pub.pem")),
        Code::UnsupportedKeyType,
        "4096",
    );
    assert_code(
        PemSigner::load(&fixture("p-384.key.pem")),
        Code::UnsupportedKeyType,
        "P-256",
    );
    assert_code(
        load_verifying(&fixture("p-384.pub.pem")),
        Code::UnsupportedKeyType,
        "P-256",
    );
}

#[test]
fn older_forms_name_the_command_that_converts_them() {
    for name in ["legacy-rsa.key.pem", "legacy-ec.key.pem"] {
        let command = "openssl pkcs8 -topk8 -nocrypt -in";
        assert_code(
            PemUnwrapper::load(&fixture(name)),
            Code::UnsupportedKeyType,
            command,
        );
        assert_code(PemSigner::load(&fixture(name)), Code::UnsupportedKeyType, command);
    }
    assert_code(
        PemSigner::load(&fixture("password.key.pem")),
        Code::KeyUnreadable,
        "openssl pkey -in",
    );
    assert_code(
        load_recipient(&fixture("legacy-rsa.pub.pem")),
        Code::UnsupportedKeyType,
        "openssl rsa -RSAPublicKey_in",
    );
}

#[test]
fn the_printed_command_converts_an_older_form() {
    let folder = TempDir::new().unwrap();
    let legacy = folder.path().join("legacy.pem");
    fs::copy(fixture("legacy-ec.key.pem"), &legacy).unwrap();
    let error = PemSigner::load(&legacy).unwrap_err();
    let PemError::Legacy { command, .. } = &error else {
        panic!("{error}")
    };
    match Command::new("sh").args(["-c", command]).output() {
        Ok(output) if output.status.success() => {}
        _ => {
            skipped("there is no openssl here");
            return;
        }
    }
    PemSigner::load(&folder.path().join("legacy.pem.new")).unwrap();
}

#[test]
fn files_that_are_no_keys_are_recognised() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.pem");
    assert_code(load_recipient(&path), Code::KeyUnreadable, "ls -l");
    for text in [
        "",
        "hello",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        fs::write(&path, text).unwrap();
        assert_code(
            load_recipient(&path),
            Code::KeyUnreadable,
            "lifeboat keys generate",
        );
        assert_code(
            PemUnwrapper::load(&path),
            Code::KeyUnreadable,
            "lifeboat keys generate",
        );
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert_code(
        PemSigner::load(&path),
        Code::KeyUnreadable,
        "lifeboat keys generate",
    );
    let garbage = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    fs::write(&path, garbage).unwrap();
    assert_code(PemSigner::load(&path), Code::UnsupportedKeyType, "P-256");
}

#[test]
fn no_formatter_shows_a_private_key() {
    let shown = format!(
        "{:?} {:?}",
        PemUnwrapper::load(&fixture("recovery.key.pem")).unwrap(),
        PemSigner::load(&fixture("signing.key.pem")).unwrap()
    );
    assert_eq!(shown.matches("[redacted]").count(), 2, "{shown}");
    assert!(shown.len() < 250, "{shown}");
}

#[test]
fn keys_on_a_full_disk_are_four_files_or_none() {
    // Enough space for two small files.
    let Some(disk) = TinyDisk::mount("size=8k") else {
        return;
    };
    assert_code(generate(disk.path()), Code::StoreFull, "choose a writable folder");
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0);
}

#[test]
fn generate_refuses_a_path_that_is_a_file() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    for path in [file.clone(), file.join("below")] {
        assert_code(generate(&path), Code::StoreNotFound, "choose a writable folder");
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[test]
fn several_recovery_keys_are_read_from_one_file() {
    let folder = TempDir::new().unwrap();
    let made = ["one", "other"].map(|name| generate(&folder.path().join(name)).unwrap());
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let both = made.each_ref().map(|keys| text(&keys.recovery_public)).concat();
    let file = folder.path().join("both.pub.pem");
    fs::write(&file, &both).unwrap();
    let keys = load_recipients(&file).unwrap();
    let found: Vec<String> = keys.iter().map(|key| key.fingerprint().to_string()).collect();
    assert_eq!(found, made.each_ref().map(|keys| keys.recovery.to_string()));

    // A private key among them is refused as it is alone.
    fs::write(&file, both + &text(&made[0].recovery_key)).unwrap();
    assert_code(load_recipients(&file), Code::PublicPrivateKeyMismatch, "-pubout");
}
