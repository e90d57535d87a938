//! One suite for adapters of AWS, which runs against each implementation of AWS that is here: the local AWS and moto.
//!
//! A test is written once, for AWS as its documentation describes it. Where an implementation differs from AWS, the test
//! compares with [`Conformance::same`] or [`Conformance::answered`], and [`differences`] has an entry. An entry is proven by
//! each run: one that no longer holds, or that its test does not meet, fails the test. So does a difference without an entry.

pub mod differences;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::aws::{Credentials, LocalAws, LocalAwsOptions, MotoError, MotoServer};
use crate::skip::skip;

/// The property of a call that is answered at all.
const ANSWER: &str = "answer";

/// An implementation of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Implementation {
    /// The local AWS, which is fakecloud behind the gateway of this crate.
    LocalAws,
    /// moto's server.
    Moto,
}

/// What an implementation does otherwise than AWS.
#[derive(Debug, Clone, Copy)]
pub struct Difference {
    /// The implementation.
    pub of: Implementation,
    /// The call, as IAM names its action: `ec2:DescribeVpcs`.
    pub call: &'static str,
    /// What in the answer differs; `answer` if the call is not there.
    pub property: &'static str,
    /// What the implementation does.
    pub does: &'static str,
    /// The document of AWS that says what is right.
    pub document: &'static str,
}

/// The keys of an administrator of an account, and where to send requests.
#[derive(Debug, Clone)]
pub struct Account {
    /// The endpoint URL.
    pub endpoint: String,
    /// The keys.
    pub keys: Credentials,
}

/// One run of a test against one implementation.
#[derive(Debug)]
pub struct Conformance {
    implementation: Implementation,
    differences: Vec<Difference>,
    met: Mutex<BTreeSet<(&'static str, &'static str)>>,
}

// Statics are never dropped; the processes of these end with this process.
static LOCAL_AWS: OnceLock<LocalAws> = OnceLock::new();
static MOTO: OnceLock<Option<MotoServer>> = OnceLock::new();

impl Conformance {
    /// Runs a test against an implementation, and checks that it met each of these differences that is of the
    /// implementation. The implementation is started once for the process and ends with it; `folder` keeps the log of moto.
    ///
    /// If moto cannot be installed, the test is skipped as [`skip`] tells.
    ///
    /// # Panics
    /// If the implementation does not start, or a difference was not met.
    pub async fn run(
        implementation: Implementation,
        folder: &Path,
        differences: &[Difference],
        test: impl AsyncFnOnce(&Self),
    ) {
        if !is_running(implementation, folder) {
            return;
        }
        let run = Self::new(implementation, differences);
        test(&run).await;
        run.assert_all_met();
    }

    fn new(implementation: Implementation, differences: &[Difference]) -> Self {
        let differences = differences.iter().filter(|one| one.of == implementation);
        Self {
            implementation,
            differences: differences.copied().collect(),
            met: Mutex::default(),
        }
    }

    fn assert_all_met(&self) {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        for one in &self.differences {
            assert!(
                met.contains(&(one.call, one.property)),
                "the test does not look at this difference: {one:?}"
            );
        }
    }

    /// Creates an account, or further keys of it.
    ///
    /// # Panics
    /// If the implementation rejects it.
    #[must_use]
    pub fn account(&self, id: &str) -> Account {
        match self.implementation {
            Implementation::LocalAws => {
                let aws = LOCAL_AWS.get().expect("it runs during a test");
                Account {
                    endpoint: aws.endpoint(),
                    keys: aws.create_account(id).expect("the local AWS creates accounts"),
                }
            }
            Implementation::Moto => {
                let moto = MOTO.get().and_then(Option::as_ref);
                let moto = moto.expect("it runs during a test");
                Account {
                    endpoint: moto.endpoint(),
                    keys: moto.create_account(id).expect("moto creates accounts"),
                }
            }
        }
    }

    /// Compares what an adapter returned with what it returns on AWS. Returns whether they are equal.
    ///
    /// # Panics
    /// If they differ and [`differences`] has no entry, or are equal and it has one.
    pub fn same<T: PartialEq + Debug>(
        &self,
        call: &'static str,
        property: &'static str,
        found: T,
        on_aws: T,
    ) -> bool {
        let Some(difference) = self.difference(call, property) else {
            assert_eq!(
                found, on_aws,
                "{call}, {property}: {:?} differs from AWS",
                self.implementation
            );
            return true;
        };
        assert!(
            found != on_aws,
            "{:?} is as AWS now ({found:?}); remove the entry: {difference:?}",
            self.implementation
        );
        false
    }

    /// Returns the answer of a call; `None` if [`differences`] tells that the implementation does not have the call.
    ///
    /// # Panics
    /// If the call fails without an entry, or succeeds with one.
    pub fn answered<T, E: Debug>(&self, call: &'static str, answer: Result<T, E>) -> Option<T> {
        match (answer, self.difference(call, ANSWER)) {
            (Ok(answer), None) => Some(answer),
            (Err(_), Some(_)) => None,
            (Err(error), None) => panic!("{:?} does not answer {call}: {error:?}", self.implementation),
            (Ok(_), Some(difference)) => panic!(
                "{:?} has the call now; remove the entry: {difference:?}",
                self.implementation
            ),
        }
    }

    /// Returns whether [`differences`] has no entry that the implementation lacks this call.
    #[must_use]
    pub fn has(&self, call: &str) -> bool {
        let lacks = |one: &Difference| one.call == call && one.property == ANSWER;
        !self.differences.iter().any(lacks)
    }

    /// Returns the entry of a property, which the test has met then.
    fn difference(&self, call: &'static str, property: &'static str) -> Option<&Difference> {
        let is_it = |one: &&Difference| one.call == call && one.property == property;
        let found = self.differences.iter().find(is_it)?;
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.insert((call, property));
        Some(found)
    }
}

/// Starts an implementation, if this process has not. Returns whether it runs; else the test is skipped.
fn is_running(implementation: Implementation, folder: &Path) -> bool {
    match implementation {
        Implementation::LocalAws => {
            LOCAL_AWS.get_or_init(|| {
                let options = LocalAwsOptions {
                    controllers: false,
                    ..LocalAwsOptions::default()
                };
                LocalAws::start(&options).expect("the local AWS starts")
            });
            true
        }
        Implementation::Moto => {
            let moto = MOTO.get_or_init(|| match MotoServer::start(folder) {
                Ok(moto) => Some(moto),
                Err(error @ MotoError::Install(_)) => {
                    skip(
                        "the conformance to a second implementation of AWS",
                        &error.to_string(),
                    );
                    None
                }
                Err(error) => panic!("{error}"),
            });
            moto.is_some()
        }
    }
}

/// Defines a test for each implementation from asynchronous functions of the enclosing module that take
/// `&Conformance`, each with the differences that it meets. `$run` runs a future.
#[macro_export]
macro_rules! conformance {
    ($run:path; $($test:ident: $differences:expr,)*) => {
        $crate::conformance!(@ $run, local_aws, LocalAws, $($test: $differences,)*);
        $crate::conformance!(@ $run, moto, Moto, $($test: $differences,)*);
    };
    (@ $run:path, $module:ident, $implementation:ident, $($test:ident: $differences:expr,)*) => {
        mod $module {
            use super::*;

            $(
                #[test]
                fn $test() {
                    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/", module_path!(), "::", stringify!($test));
                    $run(Box::pin($crate::conformance::Conformance::run(
                        $crate::conformance::Implementation::$implementation,
                        std::path::Path::new(folder),
                        $differences,
                        super::$test,
                    )));
                }
            )*
        }
    };
}

#[cfg(test)]
mod tests;
