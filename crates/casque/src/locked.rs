//! A file that is changed by one process at a time and never seen half written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::say::Failure;

/// The file under an exclusive lock, which ends with this value.
pub(crate) struct Locked {
    /// The file itself where the path is a link.
    path: PathBuf,
    file: File,
    text: String,
}

impl Locked {
    /// Waits for the lock and reads the file; makes it, readable by its owner only, where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let failed = |error: io::Error| {
            Failure::failed(format_args!("{} cannot be changed", path.display()), &error)
        };
        loop {
            let mut file = private()
                .read(true)
                .append(true)
                .create(true)
                .open(&path)
                .map_err(failed)?;
            file.lock().map_err(failed)?;
            // While we waited, another process may have put a new file in its place.
            if !is_same(&file, &path).map_err(failed)? {
                continue;
            }
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(failed)?;
            return Ok(Self { path, file, text });
        }
    }

    /// What the file held when it was locked.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Puts a file with the new text, and the mode and owner of the old one, in its place.
    pub(crate) fn replace(self, text: &str) -> Result<(), Failure> {
        let draft = self.path.with_file_name(format!(
            ".{}.{}.new",
            self.path.file_name().unwrap_or_default().to_string_lossy(),
            std::process::id()
        ));
        let written = self.write(&draft, text);
        if let Err(error) = written {
            // Nothing is left behind, and what is there already may not be ours.
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _ = fs::remove_file(&draft);
            }
            return Err(Failure::failed(
                format_args!("{} cannot be changed", self.path.display()),
                &error,
            ));
        }
        Ok(())
    }

    fn write(&self, draft: &Path, text: &str) -> io::Result<()> {
        let mut file = private().write(true).create_new(true).open(draft)?;
        file.write_all(text.as_bytes())?;
        let metadata = self.file.metadata()?;
        keep_owner(&file, &metadata)?;
        file.set_permissions(metadata.permissions())?;
        file.sync_all()?;
        fs::rename(draft, &self.path)?;
        // The new name is on disk with its folder.
        if let Some(folder) = self.path.parent()
            && let Ok(folder) = File::open(folder)
        {
            folder.sync_all()?;
        }
        Ok(())
    }
}

/// Options under which a new file is its owner's only.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(theirs) => Ok((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_same(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Root may change the file for the account that the server runs as: the server must still be able to read it.
#[cfg(unix)]
fn keep_owner(file: &File, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(file, Some(old.uid()), Some(old.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_file: &File, _old: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
