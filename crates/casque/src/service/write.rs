//! New files, all of them or none.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Writes all files. An existing file is replaced only with `force`; where one cannot be written, those before it are as
/// they were.
///
/// # Errors
/// The file that could not be written, and why.
pub(super) fn write_all(
    folder: &Path,
    files: &[(String, &str)],
    force: bool,
) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    fs::create_dir_all(folder).map_err(|error| (folder.to_owned(), error))?;
    let mut drafts = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        let draft = draft(folder, text).map_err(|error| (path.clone(), error))?;
        drafts.push((path, draft));
    }
    let mut written: Vec<(PathBuf, Option<Vec<u8>>)> = Vec::new();
    for (path, draft) in drafts {
        let before = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(undo(written, path, error)),
        };
        let kept = if force {
            draft.persist(&path)
        } else {
            draft.persist_noclobber(&path)
        };
        if let Err(error) = kept {
            return Err(undo(written, path, error.error));
        }
        written.push((path, before));
    }
    if let Ok(folder) = fs::File::open(folder) {
        // The new names are on disk with their folder; not every file system can promise it.
        let _ = folder.sync_all();
    }
    Ok(written.into_iter().map(|(path, _)| path).collect())
}

/// A file without a name that others look at: it begins with a dot.
fn draft(folder: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut draft = tempfile::Builder::new()
        .prefix(".casque-import-")
        .tempfile_in(folder)?;
    draft.write_all(text.as_bytes())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        // The server may run as another account.
        let readable = fs::Permissions::from_mode(0o644);
        draft.as_file().set_permissions(readable)?;
    }
    draft.as_file().sync_all()?;
    Ok(draft)
}

fn undo(
    written: Vec<(PathBuf, Option<Vec<u8>>)>,
    path: PathBuf,
    error: io::Error,
) -> (PathBuf, io::Error) {
    for (path, before) in written {
        // What cannot be undone either is on a disk that takes nothing any more.
        let _ = match before {
            None => fs::remove_file(&path),
            Some(bytes) => fs::write(&path, bytes),
        };
    }
    (path, error)
}
