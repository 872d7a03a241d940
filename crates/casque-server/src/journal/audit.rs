//! The audit log: JSON lines, written by a thread of its own so that no request waits for a disk.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use casque_store::Clock;
use tokio::sync::{mpsc, oneshot};

use super::event::lost_line;

/// Lines that wait for the disk; further ones are lost, and counted.
const QUEUE: usize = 8192;

/// Lines that are written at once.
const BATCH: usize = 512;

/// Where the audit log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditTarget {
    /// Standard output.
    Standard,
    /// A file, to whose end lines are added.
    File(PathBuf),
}

/// An audit log that is being written.
///
/// Writing never waits: lines go through a bounded queue. What does not fit, or cannot be written, is lost and counted;
/// once there is room again, a line says how many are missing.
///
/// ```
/// use std::sync::Arc;
/// use casque_server::{Audit, AuditTarget};
/// use casque_store::SystemClock;
///
/// let folder = tempfile::tempdir()?;
/// let target = AuditTarget::File(folder.path().join("audit.jsonl"));
/// let audit = Audit::open(target, Arc::new(SystemClock::new()))?;
/// # drop(audit);
/// # Ok::<_, std::io::Error>(())
/// ```
pub struct Audit {
    queue: mpsc::Sender<Message>,
    counts: Arc<Counts>,
}

/// What is known of the lines.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) written: AtomicU64,
    pub(crate) lost: AtomicU64,
    /// The last attempt to write, or to open the file anew, failed.
    pub(crate) failing: AtomicBool,
}

enum Message {
    Line(Vec<u8>),
    Reopen(oneshot::Sender<io::Result<()>>),
    Flush(oneshot::Sender<()>),
}

impl Audit {
    /// Opens the file, or makes it, readable by its owner and group, and starts the thread that writes.
    ///
    /// # Errors
    ///
    /// Where the file cannot be opened for writing, or there is no thread.
    pub fn open(target: AuditTarget, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let writer = Writer {
            sink: target.open()?,
            target,
            torn: false,
            told: 0,
            counts: counts.clone(),
            clock,
        };
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.work(waiting))?;
        Ok(Self { queue, counts })
    }

    /// Closes the file and opens it by its name, after it was moved away.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened; lines go on to where they went before.
    pub async fn reopen(&self) -> io::Result<()> {
        let (reply, outcome) = oneshot::channel();
        let sent = self.queue.send(Message::Reopen(reply)).await;
        match (sent, outcome.await) {
            (Ok(()), Ok(outcome)) => outcome,
            _ => Err(io::Error::other("the thread that writes has ended")),
        }
    }

    /// Waits until everything told until now is written or lost.
    pub async fn flush(&self) {
        let (reply, done) = oneshot::channel();
        // A thread that has ended writes nothing more.
        let _ = self.queue.send(Message::Flush(reply)).await;
        let _ = done.await;
    }

    pub(super) fn write(&self, line: Vec<u8>) {
        if self.queue.try_send(Message::Line(line)).is_err() {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl AuditTarget {
    fn open(&self) -> io::Result<Box<dyn Write + Send>> {
        Ok(match self {
            Self::Standard => Box::new(io::stdout()),
            Self::File(path) => Box::new(append_to(path)?),
        })
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

struct Writer {
    sink: Box<dyn Write + Send>,
    target: AuditTarget,
    /// The last line may have been written in part.
    torn: bool,
    /// How many lost lines a line has told of.
    told: u64,
    counts: Arc<Counts>,
    clock: Arc<dyn Clock>,
}

impl Writer {
    fn work(mut self, mut waiting: mpsc::Receiver<Message>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut lines = Lines::default();
        while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
            for message in batch.drain(..) {
                match message {
                    Message::Line(line) => lines.add(&line),
                    Message::Reopen(reply) => {
                        self.write(&mut lines);
                        // Who asked may be gone.
                        let _ = reply.send(self.reopen());
                    }
                    Message::Flush(done) => {
                        self.write(&mut lines);
                        let _ = done.send(());
                    }
                }
            }
            self.write(&mut lines);
        }
    }

    fn write(&mut self, lines: &mut Lines) {
        if lines.count == 0 {
            return;
        }
        let lost = self.counts.lost.load(Ordering::Relaxed);
        let mut text = Vec::new();
        if self.torn {
            text.push(b'\n');
        }
        if lost > self.told {
            text.extend(lost_line(lost - self.told, self.clock.now()));
        }
        text.append(&mut lines.text);
        let count = std::mem::take(&mut lines.count);
        match self.sink.write_all(&text).and_then(|()| self.sink.flush()) {
            Ok(()) => {
                self.counts.written.fetch_add(count, Ordering::Relaxed);
                self.torn = false;
                self.told = lost;
                self.works();
            }
            Err(error) => {
                self.counts.lost.fetch_add(count, Ordering::Relaxed);
                self.torn = true;
                self.fails(
                    &error,
                    "the audit log cannot be written: its lines are lost",
                );
            }
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        match self.target.open() {
            Ok(sink) => {
                self.sink = sink;
                self.torn = false;
                Ok(())
            }
            Err(error) => {
                let words = "the audit log cannot be opened anew: lines go to the file as it was";
                self.fails(&error, words);
                Err(error)
            }
        }
    }

    /// Says so once, not for every line.
    fn fails(&self, error: &io::Error, words: &'static str) {
        if !self.counts.failing.swap(true, Ordering::Relaxed) {
            let target = self.target.to_string();
            tracing::error!(%error, target, "{words}");
        }
    }

    fn works(&self) {
        if self.counts.failing.swap(false, Ordering::Relaxed) {
            let lost = self.counts.lost.load(Ordering::Relaxed);
            tracing::warn!(lost, "the audit log is written again");
        }
    }
}

/// Lines on their way.
#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    count: u64,
}

impl Lines {
    fn add(&mut self, line: &[u8]) {
        self.text.extend_from_slice(line);
        self.count += 1;
    }
}

impl fmt::Display for AuditTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str("standard output"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Mutex};

    use casque_store::SystemClock;

    use super::*;

    fn open(path: &Path) -> io::Result<Audit> {
        Audit::open(
            AuditTarget::File(path.to_owned()),
            Arc::new(SystemClock::new()),
        )
    }

    #[tokio::test]
    async fn lines_are_added_and_follow_the_name_after_a_reopening() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, moved) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "before\n").expect("a file");
        let audit = open(&path).expect("it opens");
        audit.write(b"one\n".to_vec());
        audit.flush().await;
        fs::rename(&path, &moved).expect("rename");
        audit.write(b"two\n".to_vec());
        audit.reopen().await.expect("it opens anew");
        audit.write(b"three\n".to_vec());
        audit.flush().await;
        assert_eq!(
            fs::read_to_string(&moved).expect("text"),
            "before\none\ntwo\n"
        );
        assert_eq!(fs::read_to_string(&path).expect("text"), "three\n");
        fs::remove_dir_all(folder.path()).expect("removed");
        assert!(audit.reopen().await.is_err());
        assert!(audit.counts().failing.load(Ordering::Relaxed));
        audit.write(b"four\n".to_vec());
        audit.flush().await;
        assert_eq!(audit.counts().written.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(open(folder.path()).is_err());
        assert!(open(&folder.path().join("none/a")).is_err());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_disk_loses_lines_and_counts_them() {
        let audit = open(Path::new("/dev/full")).expect("it opens");
        for _ in 0..3 {
            audit.write(b"line\n".to_vec());
        }
        audit.flush().await;
        assert_eq!(audit.counts().lost.load(Ordering::Relaxed), 3);
        assert!(audit.counts().failing.load(Ordering::Relaxed));
    }

    /// A disk that fails, and works again.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(bool, Vec<u8>)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.0.lock().expect("not poisoned");
            if disk.0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            disk.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_tells_of_those_that_are_missing() {
        let disk = Disk::default();
        let mut writer = Writer {
            sink: Box::new(disk.clone()),
            target: AuditTarget::Standard,
            torn: false,
            told: 0,
            counts: Arc::default(),
            clock: Arc::new(SystemClock::new()),
        };
        let mut write = |text: &[u8]| {
            let mut lines = Lines::default();
            lines.add(text);
            writer.write(&mut lines);
        };
        disk.0.lock().expect("not poisoned").0 = true;
        write(b"1\n");
        write(b"2\n");
        disk.0.lock().expect("not poisoned").0 = false;
        write(b"3\n");
        write(b"4\n");
        let text = String::from_utf8(disk.0.lock().expect("not poisoned").1.clone()).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[0], "");
        assert!(
            lines[1].contains("\"event\":\"audit_lost\"") && lines[1].ends_with("\"lines\":2}")
        );
        assert_eq!(lines[2..], ["3", "4"]);
    }
}
