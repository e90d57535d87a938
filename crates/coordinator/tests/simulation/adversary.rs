//! A hostile primary: somebody who controls its account writes, replaces and deletes anything in its scratch bucket,
//! and signs with the application's key. And a stranger who may create objects in the scratch bucket of the recovery
//! environment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::executor::block_on;
use jiff::SignedDuration;
use lifeboat_format::manifest::{Completeness, FORMAT_VERSION, Predicate, Tool};
use lifeboat_model::request::RestoreState;
use lifeboat_model::{Code, ObjectKey, RecoveryPointId};
use lifeboat_recovery_point::layout::manifest_key;
use lifeboat_recovery_point::seal;
use lifeboat_store::ports::ObjectStore;
use lifeboat_store::prefix::{CAPTURES, PrefixStore};

use crate::delegate::SIGNER;
use crate::fixture::{BANK, Fixture, SHOP, shop};

/// The number of recovery points that are made before the primary becomes hostile.
const TRUSTED: usize = 2;

impl Fixture {
    /// Makes recovery points, then attacks in every step, then removes the primary Region: every recovery point that
    /// was made before is unchanged in the vault, and can be restored. Another application notices nothing.
    pub(crate) fn run_hostile(mut self) {
        let before = self.make_trusted_points();
        let trusted = |key: &String, points: &BTreeSet<RecoveryPointId>| {
            points.iter().any(|point| key.contains(point.as_str()))
        };
        self.shared.chaos.store(true, Ordering::Relaxed);
        for _ in 0..12 {
            for _ in 0..self.shared.below(6) {
                self.attack();
            }
            for _ in 0..self.shared.below(3) {
                self.give_orders();
            }
            if self.shared.once_in(8) {
                self.ask();
            }
            if self.shared.once_in(8) {
                self.ask_restore(BANK);
            }
            if self.shared.once_in(8) {
                self.toggle_recovery();
            }
            self.pass(self.step);
            self.check_bank();
        }
        self.shared.chaos.store(false, Ordering::Relaxed);
        self.shop().primary.set_dead(true);
        self.recovery.set_dead(false);
        let points = self.shop().model.trusted.clone();
        for point in &points {
            let end = self.restore(SHOP, point.as_str(), &format!("bad-day-{point}"));
            assert_eq!(end, RestoreState::Done, "{point}");
        }
        let after = self.vault.contents();
        for (key, bytes) in before.iter().filter(|(key, _)| trusted(key, &points)) {
            assert_eq!(after.get(key), Some(bytes), "{key} has changed in the vault");
        }
        self.check_end_of_bank();
        for job in self.ledger.lock().unwrap().restored.keys() {
            assert!(
                (self.applications.iter()).any(|of| of.model.jobs.contains(job)),
                "a delegate worked on {job}, which no coordinator has assigned"
            );
        }
        let state = self.state_of(SHOP);
        let unavailable: Vec<&str> = (state.issues.values())
            .filter(|issue| issue.code == Code::EnvironmentUnavailable)
            .map(|issue| issue.id.as_str())
            .collect();
        assert_eq!(
            unavailable.len(),
            1,
            "one environment does not answer: {unavailable:?}"
        );
        assert!(
            unavailable[0].contains(&self.shop().primary.id.to_string()),
            "{unavailable:?}"
        );
    }

    /// Runs without faults until the application has recovery points, and returns what the vault contains then. From
    /// then on the primary is hostile.
    pub(crate) fn make_trusted_points(&mut self) -> BTreeMap<String, Bytes> {
        self.shared.chaos.store(false, Ordering::Relaxed);
        let points = loop {
            self.pass(self.step);
            let points = self.state_of(SHOP).points;
            if points.len() >= TRUSTED {
                break points;
            }
        };
        let model = &mut self.applications[SHOP].model;
        model.trusted = points.into_keys().collect();
        model.hostile = true;
        self.vault.contents()
    }

    pub(crate) fn attack(&mut self) {
        match self.shared.below(8) {
            0 => self.shop().primary.toggle(),
            1 => self.remove_some(),
            2 => self.flood(),
            3 => self.sign_another_time(),
            _ => {
                let key = self.some_key();
                let bytes = self.some_content();
                self.overwrite(&key, bytes);
            }
        }
    }

    /// Writes assignments and cancellations of somebody who may only create objects in the scratch bucket of the recovery
    /// environment: of no meaning, unsigned, or signed for another job or environment.
    pub(crate) fn give_orders(&self) {
        let mut orders: Vec<Vec<u8>> = [&self.shop().primary.store, &self.recovery.store]
            .into_iter()
            .flat_map(|store| store.contents())
            .filter(|(key, _)| key.contains("/assignment"))
            .map(|(_, bytes)| bytes.to_vec())
            .collect();
        orders.push(b"{}".to_vec());
        let order = orders.swap_remove(self.shared.below(orders.len() as u64) as usize);
        let jobs: Vec<_> = (self.state_of(SHOP).jobs())
            .map(|entry| entry.job.to_string())
            .collect();
        let files = ["assignment.json", "assignment-0002.json", "cancel.json"];
        let file = files[self.shared.below(files.len() as u64) as usize];
        let job = match jobs.is_empty() || self.shared.once_in(2) {
            true => format!(
                "shop/20990101T000000Z-{:06x}-restore-orders",
                self.shared.below(1 << 24)
            ),
            false => jobs[self.shared.below(jobs.len() as u64) as usize].clone(),
        };
        let key = ObjectKey::parse(format!("jobs/{job}/{file}")).unwrap();
        let _ = block_on(self.recovery.store.put_new(&key, order.into()));
    }

    fn overwrite(&self, key: &ObjectKey, bytes: Vec<u8>) {
        self.shop().primary.store.overwrite(key, bytes.into());
    }

    fn keys_of_primary(&self) -> Vec<String> {
        self.shop().primary.store.contents().into_keys().collect()
    }

    fn remove_some(&self) {
        let keys = self.keys_of_primary();
        let all = self.shared.once_in(4);
        for key in keys {
            if all || self.shared.once_in(5) {
                block_on(self.shop().primary.store.delete(&ObjectKey::parse(key).unwrap())).unwrap();
            }
        }
    }

    /// Makes more folders of captures and jobs than one look reads.
    fn flood(&self) {
        for number in 0..self.shared.below(1500) {
            let key = match number % 2 {
                0 => format!("{CAPTURES}shop/points/20990101T000000Z-{number:06x}/manifest.json"),
                _ => format!("jobs/shop/20990101T000000Z-{number:06x}-capture-orders-00/assignment.json"),
            };
            self.overwrite(&ObjectKey::parse(key).unwrap(), b"{}".to_vec());
        }
    }

    /// Signs a manifest with a wild creation time for the running backup, or for a recovery point of its own.
    fn sign_another_time(&self) {
        let running = self.state_of(SHOP).backup.map(|run| run.point);
        let point = running.unwrap_or_else(|| RecoveryPointId::parse("20990101T000000Z-000001").unwrap());
        let days = self.shared.below(20_000) as i64 - 10_000;
        let primary: Arc<dyn ObjectStore> = Arc::new(self.shop().primary.store.clone());
        let captures = PrefixStore::new(primary, CAPTURES);
        let predicate = Predicate {
            infrastructure: None,
            format_version: FORMAT_VERSION,
            application: shop(),
            point: point.clone(),
            created_at: self
                .shared
                .now()
                .saturating_add(SignedDuration::from_hours(24 * days))
                .unwrap(),
            tool: Tool {
                name: "lifeboat".to_owned(),
                version: "0.1.0".to_owned(),
            },
            completeness: Completeness::Complete,
            keys: Vec::new(),
            clusters: Vec::new(),
        };
        block_on(async {
            captures.delete(&manifest_key(&shop(), &point)).await.unwrap();
            let _ = seal(&captures, &*SIGNER, predicate).await;
        });
    }

    /// Returns the key of a document that exists, or one that the coordinator or the delegate will look at.
    fn some_key(&self) -> ObjectKey {
        let keys = self.keys_of_primary();
        let jobs: Vec<_> = self
            .state_of(SHOP)
            .jobs()
            .map(|entry| entry.job.clone())
            .collect();
        let file = [
            "result.json",
            "claim-0001.json",
            "claim-9999.json",
            "checkpoint-0001.json",
            "cancel.json",
        ];
        let key = match (self.shared.below(3), jobs.is_empty(), keys.is_empty()) {
            (0, false, _) => {
                let job = &jobs[self.shared.below(jobs.len() as u64) as usize];
                format!(
                    "jobs/{job}/{}",
                    file[self.shared.below(file.len() as u64) as usize]
                )
            }
            (_, _, false) => keys[self.shared.below(keys.len() as u64) as usize].clone(),
            _ => "environment.json".to_owned(),
        };
        ObjectKey::parse(key).unwrap()
    }

    /// Returns a document of another key, as it is or with numbers, times and names changed, or no document at all.
    fn some_content(&self) -> Vec<u8> {
        let contents: Vec<_> = self.shop().primary.store.contents().into_values().collect();
        if contents.is_empty() || self.shared.once_in(5) {
            return match self.shared.below(3) {
                0 => Vec::new(),
                1 => vec![b'['; 100_000],
                _ => vec![0xff; 3 << 20],
            };
        }
        let bytes = &contents[self.shared.below(contents.len() as u64) as usize];
        let Ok(text) = std::str::from_utf8(bytes) else {
            return bytes.to_vec();
        };
        let text = match self.shared.below(6) {
            0 => text.replace("2026-", "9998-"),
            1 => text.replace("2026-", "1971-"),
            2 => text.replace("shop", "bank"),
            3 => text.replace("orders", "\u{202e}\\n$(reboot)"),
            4 => text.replace('1', "18446744073709551615"),
            _ => text.to_owned(),
        };
        text.into_bytes()
    }
}
