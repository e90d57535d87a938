#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use futures::executor::block_on;
use lifeboat_filesystem::PemSigner;
use lifeboat_jobs::{Cancel, FORMAT};
use lifeboat_model::{EnvironmentId, JobId};

use super::*;

/// A clock and a timer: waiting advances the clock.
#[derive(Default)]
struct Time(AtomicI64);

impl Clock for Time {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

#[async_trait]
impl Timer for Time {
    async fn sleep(&self, duration: Duration) {
        let seconds = i64::try_from(duration.as_secs()).unwrap();
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// A key service that does not answer until it is up.
struct Service {
    opened: Arc<AtomicU64>,
    is_up: Arc<AtomicU64>,
}

#[async_trait]
impl OpenKey for Service {
    async fn open(&self) -> Result<Arc<dyn Signer>, Problem> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        if self.is_up.load(Ordering::Relaxed) == 0 {
            futures::future::pending::<()>().await;
        }
        let file = "../recovery-point/tests/fixtures/point-v1/keys/signing.key.pem";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        Ok(Arc::new(PemSigner::load(&file).unwrap()))
    }
}

#[test]
fn a_key_service_that_does_not_answer_costs_a_few_seconds_once_a_tick() {
    let (opened, is_up, time) = (
        Arc::<AtomicU64>::default(),
        Arc::<AtomicU64>::default(),
        Time::default(),
    );
    let key = AssignmentKey::new(Box::new(Service {
        opened: Arc::clone(&opened),
        is_up: Arc::clone(&is_up),
    }));
    let document = Cancel {
        format: FORMAT,
        job: JobId::parse("shop/20261121T112233Z-7f3a9c-check").unwrap(),
        environment: EnvironmentId::parse("111111111111-eu-west-1").unwrap(),
        at: time.now(),
        reason: "it was cancelled on request".to_owned(),
    };
    let sign = || block_on(key.sign(&document, &time, &time));
    for _ in 0..20 {
        assert_eq!(sign().unwrap_err().code, Code::AssignmentNotWritten);
    }
    assert_eq!(time.now().as_second(), 5, "one request was waited for");
    assert_eq!(opened.load(Ordering::Relaxed), 1);
    is_up.store(1, Ordering::Relaxed);
    block_on(time.sleep(Duration::from_secs(60)));
    sign().unwrap();
    sign().unwrap();
    assert_eq!(opened.load(Ordering::Relaxed), 2, "an open key stays open");
}
