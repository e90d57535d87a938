//! The keys of the parts of a recovery point in a store.
//!
//! ```text
//! <application>/points/<point>/manifest.json        the recovery point exists once this is written
//! <application>/points/<point>/<cluster>/p-0000.pack objects
//! <application>/points/<point>/<cluster>/i-0000.pack the index of p-0000.pack
//! <application>/points/<point>/_infrastructure/d-0001.pack the descriptions of AWS resources
//! ```

use jiff::{SignedDuration, Timestamp};
use lifeboat_format::manifest::INFRASTRUCTURE;
use lifeboat_model::{ApplicationName, ClusterName, ObjectKey, PackName, RecoveryPointId};

use lifeboat_store::ports::{Clock, Randomness};

/// The name of the manifest in the folder of its recovery point.
pub const MANIFEST: &str = "manifest.json";

/// Returns the prefix of all keys of the application's recovery points.
#[must_use]
pub fn points_prefix(application: &ApplicationName) -> String {
    format!("{application}/points/")
}

/// Returns the prefix of all keys of a recovery point.
#[must_use]
pub fn point_prefix(application: &ApplicationName, point: &RecoveryPointId) -> String {
    format!("{application}/points/{point}/")
}

/// Returns the key of a recovery point's manifest.
#[must_use]
pub fn manifest_key(application: &ApplicationName, point: &RecoveryPointId) -> ObjectKey {
    key(format!("{}{MANIFEST}", point_prefix(application, point)))
}

/// Returns the key of a file of a recovery point.
#[must_use]
pub fn file_key(application: &ApplicationName, point: &RecoveryPointId, name: &PackName) -> ObjectKey {
    key(format!("{}{name}", point_prefix(application, point)))
}

fn key(text: String) -> ObjectKey {
    ObjectKey::parse(text)
        .expect("identifiers are clean path segments and together shorter than a key may be")
}

/// Returns the names of the `number`th pack of objects of a cluster and of its index. `series` is part of
/// both names if several writers write the same cluster.
pub(crate) fn pack_names(
    cluster: &ClusterName,
    series: Option<&WriterId>,
    number: u32,
) -> (PackName, PackName) {
    let series = series.map_or_else(String::new, |series| format!("{series}-"));
    let name = |sort| {
        PackName::parse(format!("{cluster}/{sort}-{series}{number:04}.pack"))
            .expect("a cluster name and a series are clean and short path segments")
    };
    (name('p'), name('i'))
}

/// Returns the name of the pack of descriptions that an attempt writes, from 1.
pub(crate) fn descriptions_name(attempt: u32) -> PackName {
    PackName::parse(format!("{INFRASTRUCTURE}/d-{attempt:04}.pack"))
        .expect("the folder and a number are clean and short path segments")
}

/// Distinguishes the packs of one writer from those of others that write the same cluster of the same
/// recovery point: the part of the capture, and the epoch of the part. Sorts in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriterId {
    /// The part of a capture that is divided between jobs, from 0.
    pub part: u16,
    /// The epoch of the job of that part, from 1.
    pub epoch: u32,
}

impl std::fmt::Display for WriterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}-{:02}", self.part, self.epoch)
    }
}

/// The format of the time in an id.
const SECOND: &str = "%Y%m%dT%H%M%SZ";

/// Returns an id for a recovery point that begins now, if no other recovery points are known.
/// [`crate::PointRepository::next_id`] keeps the order of existing ones.
#[must_use]
pub fn new_point_id(clock: &dyn Clock, ids: &dyn Randomness) -> RecoveryPointId {
    point_id_after(None, clock, ids)
}

/// Returns an id for a recovery point that begins now and sorts after `newest`, whatever the clock says: the
/// second after `newest` if the clock has not reached it.
pub fn point_id_after(
    newest: Option<&RecoveryPointId>,
    clock: &dyn Clock,
    ids: &dyn Randomness,
) -> RecoveryPointId {
    let mut random = [0; 3];
    ids.random(&mut random);
    let not_before = newest
        .and_then(RecoveryPointId::started_at)
        .and_then(|second| second.checked_add(SignedDuration::from_secs(1)).ok());
    let second = clock.now().max(not_before.unwrap_or(Timestamp::MIN));
    RecoveryPointId::new(&second.strftime(SECOND).to_string(), random)
        .expect("the time is rendered in the form that an id has")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> jiff::Timestamp {
            "2026-11-21T11:22:33.987Z".parse().unwrap()
        }
    }

    impl Randomness for Fixed {
        fn random(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&[0x7f, 0x3a, 0x9c]);
        }
    }

    #[test]
    fn keys_follow_the_layout() {
        let (shop, point) = (
            ApplicationName::parse("shop").unwrap(),
            new_point_id(&Fixed, &Fixed),
        );
        assert_eq!(point.as_str(), "20261121T112233Z-7f3a9c");
        let (objects, index) = pack_names(&ClusterName::parse("eu_1").unwrap(), None, 12);
        assert_eq!(
            file_key(&shop, &point, &objects).as_str(),
            "shop/points/20261121T112233Z-7f3a9c/eu_1/p-0012.pack"
        );
        assert_eq!(index.as_str(), "eu_1/i-0012.pack");
        assert_eq!(
            manifest_key(&shop, &point).as_str(),
            "shop/points/20261121T112233Z-7f3a9c/manifest.json"
        );
    }

    #[test]
    fn ids_stay_in_order_when_the_clock_goes_back() {
        for (newest, expected) in [
            ("20261121T112232Z-ffffff", "20261121T112233Z-7f3a9c"),
            ("20261121T112233Z-000000", "20261121T112234Z-7f3a9c"),
            ("20991231T235959Z-ffffff", "21000101T000000Z-7f3a9c"),
            // Digits that are not a valid time cannot be incremented.
            ("20269921T112233Z-ffffff", "20261121T112233Z-7f3a9c"),
        ] {
            let newest = RecoveryPointId::parse(newest).unwrap();
            let id = point_id_after(Some(&newest), &Fixed, &Fixed);
            assert_eq!(id.as_str(), expected, "after {newest}");
        }
    }

    #[test]
    fn the_longest_names_still_make_a_key() {
        let application = ApplicationName::parse("a".repeat(63)).unwrap();
        let cluster = ClusterName::parse("c".repeat(100)).unwrap();
        let (name, _) = pack_names(
            &cluster,
            Some(&WriterId {
                part: u16::MAX,
                epoch: u32::MAX,
            }),
            u32::MAX,
        );
        let key = file_key(&application, &new_point_id(&Fixed, &Fixed), &name);
        assert!(key.as_str().ends_with(name.as_str()));
    }
}
