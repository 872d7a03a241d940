//! The file of a backup: lines of JSON, a head, one for each entry, and an end that says how many there are.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casque_store::{Copied, Entry, Key, Shape, Store, put_entry};
use serde::{Deserialize, Serialize};

use crate::say::Failure;

/// The version of the file.
const VERSION: u32 = 1;

/// Entries that are asked for at a time.
const PAGE: usize = 500;

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Head {
        casque_backup: u32,
    },
    Entry {
        kind: String,
        key: String,
        member: bool,
        /// Milliseconds since 1970.
        ends: u64,
        value: String,
    },
    End {
        records: usize,
        members: usize,
    },
}

/// Writes everything that is live to a new file, readable by its owner only. A file that is not complete is removed.
pub(super) async fn write(store: &dyn Store, path: &Path) -> Result<Copied, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::failed(path.display(), error);
    let file = create(path).map_err(|error| failed(&error))?;
    let written = write_to(store, BufWriter::new(file), &failed).await;
    if written.is_err() {
        // It is of no use, and what matters is why.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

async fn write_to(
    store: &dyn Store,
    mut file: BufWriter<File>,
    failed: &dyn Fn(&dyn std::error::Error) -> Failure,
) -> Result<Copied, Failure> {
    let mut line = |line: &Line| {
        serde_json::to_writer(&mut file, line)
            .map_err(io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .map_err(|error| failed(&error))
    };
    line(&Line::Head {
        casque_backup: VERSION,
    })?;
    let (mut copied, mut cursor) = (Copied::default(), None);
    loop {
        let page = store.walk(None, cursor.as_ref(), PAGE).await;
        let page = page.map_err(|error| Failure::failed("the store", &error))?;
        for entry in page.entries {
            count(&mut copied, entry.shape);
            line(&to_line(&entry))?;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    line(&Line::End {
        records: copied.records,
        members: copied.members,
    })?;
    file.into_inner()
        .map_err(io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .map_err(|error| failed(&error))?;
    Ok(copied)
}

/// Whether the file is complete, and every line of it can be read.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    for entry in entries(path)? {
        entry?;
    }
    Ok(())
}

/// Puts every entry into a store.
pub(super) async fn read(path: &Path, store: &dyn Store) -> Result<Copied, Failure> {
    let mut copied = Copied::default();
    for entry in entries(path)? {
        let entry = entry?;
        count(&mut copied, entry.shape);
        put_entry(store, entry)
            .await
            .map_err(|error| Failure::failed("the store", &error))?;
    }
    Ok(copied)
}

/// The entries of a file, one by one; the last item is a fault where the file is not complete.
fn entries(path: &Path) -> Result<impl Iterator<Item = Result<Entry, Failure>>, Failure> {
    let file = File::open(path).map_err(|error| Failure::failed(path.display(), &error))?;
    let mut lines = BufReader::new(file).lines().enumerate();
    let name = path.display().to_string();
    let fault = move |line: usize, words: &str| {
        Failure::wrong(format!(
            "{name}:{line}: {words}\n  fix: name a file that `casque backup` wrote"
        ))
    };
    let mut next = {
        let fault = fault.clone();
        move || {
            let (number, text) = lines.next()?;
            let line = text
                .ok()
                .and_then(|text| serde_json::from_str::<Line>(&text).ok());
            Some(line.ok_or_else(|| fault(number + 1, "this is no line of a backup")))
        }
    };
    match next() {
        Some(Ok(Line::Head { casque_backup })) if casque_backup <= VERSION => {}
        Some(Ok(Line::Head { .. })) => {
            return Err(fault(1, "a newer casque wrote this: use that one"));
        }
        _ => return Err(fault(1, "this is no backup")),
    }
    let (mut found, mut number, mut ended) = (Copied::default(), 1, false);
    Ok(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        number += 1;
        let outcome = match next() {
            Some(Ok(line @ Line::Entry { .. })) => match from_line(line) {
                Some(entry) => {
                    count(&mut found, entry.shape);
                    return Some(Ok(entry));
                }
                None => Some(Err(fault(number, "this is no line of a backup"))),
            },
            Some(Ok(Line::End { records, members })) if found == (Copied { records, members }) => {
                None
            }
            Some(Err(failure)) => Some(Err(failure)),
            Some(Ok(_)) | None => Some(Err(fault(number, "the file is not complete"))),
        };
        ended = true;
        outcome
    }))
}

fn count(copied: &mut Copied, shape: Shape) {
    match shape {
        Shape::Record => copied.records += 1,
        Shape::Member => copied.members += 1,
    }
}

fn to_line(entry: &Entry) -> Line {
    let ends = entry.deadline.duration_since(UNIX_EPOCH);
    let millis = ends.unwrap_or_default().as_millis();
    Line::Entry {
        kind: entry.key.kind().to_owned(),
        key: STANDARD.encode(entry.key.digest()),
        member: entry.shape == Shape::Member,
        ends: u64::try_from(millis).unwrap_or(u64::MAX),
        value: STANDARD.encode(&entry.value),
    }
}

fn from_line(line: Line) -> Option<Entry> {
    let Line::Entry {
        kind,
        key,
        member,
        ends,
        value,
    } = line
    else {
        return None;
    };
    let digest = STANDARD.decode(key).ok()?.try_into().ok()?;
    Some(Entry {
        key: Key::from_digest(&kind, digest).ok()?,
        shape: if member { Shape::Member } else { Shape::Record },
        value: STANDARD.decode(value).ok()?,
        deadline: SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ends))?,
    })
}
