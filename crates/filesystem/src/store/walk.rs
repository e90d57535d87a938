//! Listings: walks folders in the byte order of whole keys.

use std::fs;
use std::io;
use std::path::Path;

use lifeboat_model::ObjectKey;
use lifeboat_store::ports::{Listed, StoreError, StoreOperation};

use super::{failure, is_absence};

/// A name in a folder. The name of a folder ends with `/`, as it does in a key, so that sorting names sorts
/// keys (`a-b` before `a/b` before `ab`).
struct Entry {
    name: String,
    size: u64,
}

impl Entry {
    fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }
}

/// Lists at most `limit` keys that begin with `prefix` and sort after `after`, in order.
pub(super) fn list(
    root: &Path,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Listed>, StoreError> {
    check(root)?;
    let mut found = Vec::new();
    if leads_out(prefix) {
        return Ok(found);
    }
    let mut walk = Walk {
        root,
        prefix,
        after,
        limit,
        found: &mut found,
    };
    // Only the folder in the prefix can contain matching keys.
    let base = prefix.rfind('/').map_or("", |end| &prefix[..=end]);
    walk.visit(base)
        .map_err(|e| failure(StoreOperation::List, &shown(root, prefix), e))?;
    Ok(found)
}

/// Lists the folders directly below `prefix` that contain a key.
pub(super) fn folders(root: &Path, prefix: &str) -> Result<Vec<String>, StoreError> {
    check(root)?;
    let fail = |e| failure(StoreOperation::List, &shown(root, prefix), e);
    let mut folders = Vec::new();
    if leads_out(prefix) {
        return Ok(folders);
    }
    for entry in entries(&root.join(prefix)).map_err(fail)? {
        if let Some(name) = entry.name.strip_suffix('/')
            && holds_key(&root.join(prefix).join(name)).map_err(fail)?
        {
            folders.push(name.to_owned());
        }
    }
    folders.sort_unstable();
    Ok(folders)
}

/// Whether a prefix matches no key but would lead the walk out of the store or to its hidden files.
fn leads_out(prefix: &str) -> bool {
    prefix.starts_with('/') || prefix.split('/').any(|segment| segment.starts_with('.'))
}

/// Whether a folder contains a file, directly or in a subfolder.
fn holds_key(folder: &Path) -> io::Result<bool> {
    for entry in entries(folder)? {
        if !entry.is_folder() || holds_key(&folder.join(&entry.name))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Checks that the store still exists. An empty listing of a deleted store would be wrong.
fn check(root: &Path) -> Result<(), StoreError> {
    match fs::read_dir(root) {
        Ok(_) => Ok(()),
        Err(error) if is_absence(&error) => Err(StoreError::NoStore {
            store: root.display().to_string(),
            problem: "the folder was deleted",
        }),
        Err(error) => Err(failure(StoreOperation::List, &root.display(), error)),
    }
}

fn shown(root: &Path, prefix: &str) -> String {
    root.join(prefix).display().to_string()
}

struct Walk<'a> {
    root: &'a Path,
    prefix: &'a str,
    after: Option<&'a str>,
    limit: usize,
    found: &'a mut Vec<Listed>,
}

impl Walk<'_> {
    /// Visits the folder `base`, which is empty or ends with `/`.
    fn visit(&mut self, base: &str) -> io::Result<()> {
        for entry in entries(&self.root.join(base))? {
            if self.found.len() >= self.limit {
                break;
            }
            let key = format!("{base}{}", entry.name);
            if entry.is_folder() {
                if self.may_hold(&key) {
                    self.visit(&key)?;
                }
            } else if key.starts_with(self.prefix) && self.after.is_none_or(|after| key.as_str() > after) {
                // A file whose whole path is not a key (too long) was not written by this store.
                if let Ok(key) = ObjectKey::parse(key) {
                    self.found.push(Listed {
                        key,
                        size: entry.size,
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether keys that begin with `folder` can be part of the result.
    fn may_hold(&self, folder: &str) -> bool {
        let prefix_fits = folder.starts_with(self.prefix) || self.prefix.starts_with(folder);
        // Every key in the folder begins with its name, so all of them sort before an `after` that is greater
        // and does not begin with it.
        let passed = self
            .after
            .is_some_and(|after| after > folder && !after.starts_with(folder));
        prefix_fits && !passed
    }
}

/// Returns the names in a folder that can be parts of keys, in order. A folder that does not exist is empty.
fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let read = match fs::read_dir(folder) {
        Ok(read) => read,
        Err(error) if is_absence(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut entries = Vec::new();
    for entry in read {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if ObjectKey::parse(name.clone()).is_err() {
            continue;
        }
        let found = match entry.file_type()? {
            kind if kind.is_dir() => Entry {
                name: name + "/",
                size: 0,
            },
            // A link to a file counts as the file. Links to folders are ignored because they could form
            // cycles.
            _ => match fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_file() => Entry {
                    name,
                    size: metadata.len(),
                },
                Ok(_) => continue,
                Err(error) if is_absence(&error) => continue,
                Err(error) => return Err(error),
            },
        };
        entries.push(found);
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}
