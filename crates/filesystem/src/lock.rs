//! One run at a time per application: a lock file that the kernel releases when its process ends,
//! however it ends.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};

use lifeboat_model::{ApplicationName, Code, Diagnostic, ErrorKind, Problem};
use lifeboat_store::ports::{Clock, RunLock, StoreError, StoreOperation};
use serde::{Deserialize, Serialize};

use crate::store::{self, FolderStore};

/// The lock file, in the folder of the application. A name with a dot is no key and never listed.
const LOCK_FILE: &str = ".lock";

/// Who holds an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// The process.
    pub pid: u32,
    /// Since when.
    pub since: jiff::Timestamp,
}

/// An application that cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("lock application {application}: {}", describe(.holder.as_ref()))]
    Busy {
        /// The application.
        application: ApplicationName,
        /// Who holds it, where that could be read.
        holder: Option<LockHolder>,
    },
    /// The store does not allow it.
    #[error("lock application {application}")]
    Store {
        /// The application.
        application: ApplicationName,
        /// Why.
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

/// Holds an application until dropped.
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
        // The name of a holder that is gone would only mislead. The file itself stays: removing it
        // could take it from under a process that has just opened it.
        let _ = self.file.set_len(0);
    }
}

impl FolderStore {
    /// Locks an application for this process and removes what a killed process left unfinished in it.
    ///
    /// # Errors
    /// [`LockError::Busy`] where another run holds it, in this process or another.
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
                // The runtime is shutting down and did not begin the work.
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
        // The store itself is never made by a lock.
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
                // Who holds it is a courtesy; that somebody does is what matters.
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
