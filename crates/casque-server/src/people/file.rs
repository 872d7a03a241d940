//! `people.toml`, read anew whenever it changes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use casque_store::{Clock, SystemClock};

use super::entries::read;
use super::{People, Person};
use crate::config::ConfigErrors;
use crate::password::{HashParams, inspect_hash};
use crate::seen::Seen;

/// How long a look at the file is good for. A busy server finds thousands of people a second, and asking the system
/// each time whether the file is still the same costs it more than the finding.
const LOOK_GOOD_FOR: Duration = Duration::from_millis(1);

/// People from a file (`people.toml`).
///
/// Changes are taken up at the next [`find`](People::find), or a millisecond later. If the file has become wrong, the
/// last good state stays in force and the log says what is wrong with it.
///
/// ```
/// use casque_server::{HashParams, Password, People, PeopleFile, hash_password};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("people.toml");
/// let hash = hash_password(&Password::new("wonderland")?, HashParams::default());
/// std::fs::write(&file, format!("[alice]\npassword = \"{hash}\"\nattributes = {{ mail = \"a@example.org\" }}\n"))?;
/// let people = PeopleFile::open(&file)?;
/// let alice = people.find("alice").unwrap();
/// assert_eq!(alice.attributes["mail"], ["a@example.org"]);
/// assert!(people.find("ALICE").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PeopleFile {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    /// When it was looked at last, since it was opened.
    looked: SystemTime,
    seen: Seen,
    /// How often it has been read since.
    readings: u64,
    /// What was wrong with it the last time.
    fault: Option<String>,
    people: Arc<HashMap<String, Arc<Person>>>,
}

impl PeopleFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong in it, by line and person.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, ConfigErrors> {
        Self::open_with(path.into(), Arc::new(SystemClock::new()))
    }

    fn open_with(path: PathBuf, clock: Arc<dyn Clock>) -> Result<Self, ConfigErrors> {
        // Seen first, read second: a change in between is found at the next look.
        let seen = Seen::of(&path);
        let people = Arc::new(read(&path)?);
        Ok(Self {
            path,
            clock,
            state: RwLock::new(State {
                looked: UNIX_EPOCH,
                seen,
                readings: 0,
                fault: None,
                people,
            }),
        })
    }

    /// The number of people, the disabled ones included.
    pub fn len(&self) -> usize {
        self.current().len()
    }

    /// Whether nobody is in the file.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everybody, by name.
    pub fn people(&self) -> Vec<Person> {
        let current = self.current();
        let mut people: Vec<Person> = current.values().map(|person| (**person).clone()).collect();
        people.sort_by(|a, b| a.id.cmp(&b.id));
        people
    }

    /// The cost that most people's hashes have, for
    /// [`PasswordCheckerOptions::decoy`](crate::PasswordCheckerOptions::decoy) (S-059), and how many people have
    /// another. `None` where nobody is in the file.
    pub fn usual_cost(&self) -> Option<(HashParams, usize)> {
        let people = self.current();
        let mut counts: HashMap<HashParams, usize> = HashMap::new();
        for person in people.values() {
            if let Ok(params) = inspect_hash(&person.password_hash) {
                *counts.entry(params).or_default() += 1;
            }
        }
        let (params, most) = counts
            .into_iter()
            .max_by_key(|(params, count)| (*count, params.memory_kib()))?;
        Some((params, people.len() - most))
    }

    fn current(&self) -> Arc<HashMap<String, Arc<Person>>> {
        let now = self.clock.now();
        {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let age = now.duration_since(state.looked);
            if age.is_ok_and(|age| age < LOOK_GOOD_FOR) {
                return state.people.clone();
            }
        }
        self.look(now)
    }

    /// Takes up a change.
    fn look(&self, now: SystemTime) -> Arc<HashMap<String, Arc<Person>>> {
        let seen = Seen::of(&self.path);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.seen != seen {
            state.read(&self.path, seen);
        }
        state.looked = now;
        state.people.clone()
    }

    /// Takes up a change, or reads the file in any case. Gives how often it has been read and what is wrong with it.
    pub(crate) fn refresh(&self, in_any_case: bool) -> (u64, Option<String>) {
        if in_any_case {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            state.read(&self.path, Seen::of(&self.path));
        } else {
            self.look(self.clock.now());
        }
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        (state.readings, state.fault.clone())
    }
}

impl State {
    fn read(&mut self, path: &Path, seen: Seen) {
        self.seen = seen;
        self.readings += 1;
        match read(path) {
            Ok(people) => {
                tracing::info!(people = people.len(), "the file of people was read anew");
                self.people = Arc::new(people);
                self.fault = None;
            }
            Err(faults) => {
                tracing::error!(
                    %faults,
                    "the file of people has become wrong; its last good state stays in force"
                );
                self.fault = Some(faults.to_string());
            }
        }
    }
}

impl People for PeopleFile {
    fn find(&self, username: &str) -> Option<Arc<Person>> {
        self.current().get(username).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use casque_testkit::ManualClock;

    use super::*;
    use crate::people::entries::tests::HASH;

    #[test]
    fn changes_hold_within_a_millisecond_and_faults_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.toml");
        fs::write(&path, format!("[alice]\npassword = \"{HASH}\"\n")).unwrap();
        let clock = ManualClock::new();
        let people = PeopleFile::open_with(path.clone(), Arc::new(clock.clone())).unwrap();
        assert!(people.find("alice").is_some());
        assert!(people.find("bob").is_none());

        fs::write(
            &path,
            format!("[alice]\npassword = \"{HASH}\"\n[bob]\npassword = \"{HASH}\"\n"),
        )
        .unwrap();
        clock.advance(Duration::from_micros(999));
        assert!(people.find("bob").is_none(), "looked at just now");
        clock.advance(Duration::from_micros(1));
        assert!(people.find("bob").is_some());
        assert_eq!(people.len(), 2);

        fs::write(&path, "[alice\n").unwrap();
        clock.advance(LOOK_GOOD_FOR);
        assert!(people.find("alice").is_some(), "the last good state stays");
        fs::remove_file(&path).unwrap();
        clock.advance(LOOK_GOOD_FOR);
        assert!(people.find("alice").is_some());

        fs::write(&path, format!("[carol]\npassword = \"{HASH}\"\n")).unwrap();
        clock.advance(LOOK_GOOD_FOR);
        assert!(people.find("alice").is_none());
        assert!(people.find("carol").is_some());
    }

    #[test]
    fn the_usual_cost_is_that_of_most_people() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.toml");
        let dear = HASH.replace("m=19456", "m=65536");
        fs::write(
            &path,
            format!(
                "[a]\npassword = \"{dear}\"\n[b]\npassword = \"{HASH}\"\n[c]\npassword = \"{dear}\"\n"
            ),
        )
        .unwrap();
        let people = PeopleFile::open(&path).unwrap();
        let dear = HashParams::new(65_536, 2, 1).unwrap();
        assert_eq!(people.usual_cost(), Some((dear, 1)));
    }

    #[test]
    fn a_missing_file_says_how_to_begin() {
        let folder = tempfile::tempdir().unwrap();
        let faults = PeopleFile::open(folder.path().join("people.toml"))
            .unwrap_err()
            .to_string();
        assert!(faults.contains("people.toml: cannot be read: "), "{faults}");
        assert!(faults.ends_with("fix: add the first person with `casque user add NAME`"));
    }
}
