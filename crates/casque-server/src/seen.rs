//! Noticing that a file has changed, by looking: that works on every file system, and finds a file that was replaced, a
//! link that leads elsewhere, and a file that was written to.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What tells that a file is another one or has been written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    modified: Option<SystemTime>,
    length: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Seen {
    pub(crate) fn of(path: &Path) -> Self {
        let metadata = fs::metadata(path).ok();
        Self {
            modified: metadata.as_ref().and_then(|data| data.modified().ok()),
            length: metadata.as_ref().map_or(0, fs::Metadata::len),
            #[cfg(unix)]
            inode: metadata
                .as_ref()
                .map_or(0, std::os::unix::fs::MetadataExt::ino),
        }
    }
}

/// The definitions of services in a folder, each as it was seen.
pub(crate) type SeenFolder = BTreeMap<PathBuf, Seen>;

pub(crate) fn folder(path: &Path) -> SeenFolder {
    let Ok(files) = fs::read_dir(path) else {
        return SeenFolder::new();
    };
    files
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml" || extension == "json")
        })
        .map(|path| {
            let seen = Seen::of(&path);
            (path, seen)
        })
        .collect()
}
