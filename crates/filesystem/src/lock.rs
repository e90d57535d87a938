//! The lock of an application, which allows one run at a time: a lock file that the kernel releases when the
//! process ends for any reason.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};

use lifeboat_model::{ApplicationName, Code, Diagnostic, ErrorKind, Problem};
use lifeboat_store::ports::{Clock, RunLock, StoreError, StoreOperation};
use serde::{Deserialize, Serialize};

use crate::store::{self, FolderStore};

/// The lock file, in the folder of the application. Its name begins with a dot, so it is not a key and never
/// listed.
const LOCK_FILE: &str = ".lock";

/// The process that holds the lock of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// The process id.
    pub pid: u32,
    /// When the lock was acquired.
    pub since: jiff::Timestamp,
}

/// The error for an application that cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds the lock.
    #[error("lock application {application}: {}", describe(.holder.as_ref()))]
    Busy {
        /// The name of the application.
        application: ApplicationName,
        /// The process that holds the lock, if it could be read.
        holder: Option<LockHolder>,
    },
    /// The store failed.
    #[error("lock application {application}")]
    Store {
        /// The name of the application.
        application: ApplicationName,
        /// The cause.
        #[source]
        source: StoreError,
    },
}

fn describe(holder: Option<&LockHolder>) -> String {
    match holder {
        Some(LockHolder { pid, since }) => format!("process {pid} has held the lock since {since}"),
        None => "another process holds the lock".to_owned(),
    }
}

impl Diagnostic for LockError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Busy { .. } => ErrorKind::Conflict,
            Self::Store { source, .. } => source.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Busy { .. } => Code::StoreBusy,
            Self::Store { source, .. } => source.code(),
        }
    }

    fn problem(&self) -> Problem {
        match self {
            Self::Busy { holder, .. } => {
                let guidance = match holder {
                    Some(holder) => format!(
                        "wait until process {} ends, then run the command again",
                        holder.pid
                    ),
                    None => "wait until the other run ends, then run the command again".to_owned(),
                };
                Problem::new(self.code(), format!("failed to {self}"), guidance)
            }
            Self::Store { source, .. } => {
                Problem::new(self.code(), format!("failed to {self}"), source.guidance()).caused_by(source)
            }
        }
    }
}

/// The lock of an application, held until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    application: ApplicationName,
    file: File,
}

impl RunLock for FolderLock {
    fn application(&self) -> &ApplicationName {
        &self.application
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // The name of a process that has ended would mislead. The file itself stays: another process may have
        // just opened it, and would then lock a removed file.
        let _ = self.file.set_len(0);
    }
}

impl FolderStore {
    /// Locks an application for this process and removes the unfinished files that a killed process left in
    /// it.
    ///
    /// # Errors
    /// [`LockError::Busy`] if another run holds the lock, in this process or another.
    pub async fn lock(
        &self,
        application: &ApplicationName,
        clock: &dyn Clock,
    ) -> Result<FolderLock, LockError> {
        let holder = LockHolder {
            pid: std::process::id(),
            since: clock.now(),
        };
        let (store, name) = (self.clone(), application.clone());
        match tokio::task::spawn_blocking(move || store.lock_now(name, &holder)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down and did not start the work.
                Err(error) => Err(LockError::Store {
                    application: application.clone(),
                    source: StoreError::Unavailable {
                        operation: StoreOperation::Open,
                        key: LOCK_FILE.to_owned(),
                        source: error.into(),
                    },
                }),
            },
        }
    }

    fn lock_now(&self, application: ApplicationName, holder: &LockHolder) -> Result<FolderLock, LockError> {
        let folder = self.root().join(application.as_str());
        let path = folder.join(LOCK_FILE);
        let fail = |error: std::io::Error| LockError::Store {
            application: application.clone(),
            source: store::failure(StoreOperation::Open, &path.display(), error),
        };
        // A lock never creates the store itself.
        fs::metadata(self.root()).map_err(fail)?;
        store::create_folders(&folder).map_err(fail)?;
        let mut file = store::private_file()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The holder is only for the message, so errors are ignored.
                let _ = file.read_to_string(&mut text);
                return Err(LockError::Busy {
                    application,
                    holder: serde_json::from_str(&text).ok(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        let text = serde_json::to_vec(holder).expect("a number and a time are always JSON");
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(&text))
            .map_err(fail)?;
        self.remove_temporaries(&application).map_err(fail)?;
        Ok(FolderLock { application, file })
    }

    fn remove_temporaries(&self, application: &ApplicationName) -> std::io::Result<()> {
        match fs::remove_dir_all(self.temporary_folder(Some(application.as_str()))) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests;
