//! Who does what, and when, on a campus.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::plan::Mix;

/// A schedule that is fixed before the run, and the cookies of those who are there.
///
/// Every person has the same moments: a wrong password, the login, the visits, the logout. Person after person they are
/// laid over each other, so that after one gap people come, visit and leave at the same time; a number is a moment of
/// somebody, or of nobody where nobody has it.
#[derive(Debug)]
pub(crate) struct Campus {
    mix: Mix,
    people: u64,
    people_in_a_gap: u64,
    present: Mutex<HashMap<u64, String>>,
}

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Mistype,
    LogIn,
    /// The number of the visit, from 1.
    Visit(u64),
    LogOut,
    /// Goes without a word.
    Leave,
}

impl Act {
    /// As it is written in a report; none where the server is not asked.
    pub(crate) fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Mistype => "wrong_password",
            Self::LogIn => "login",
            Self::Visit(_) => "visit",
            Self::LogOut => "logout",
            Self::Leave => return None,
        })
    }
}

impl Campus {
    pub(crate) fn new(mix: Mix, people: u64, per_second: u64) -> Self {
        Self {
            mix,
            people,
            people_in_a_gap: per_second * mix.gap_seconds,
            present: Mutex::default(),
        }
    }

    /// How many numbers the schedule has.
    pub(crate) fn numbers(&self) -> u64 {
        let last_one_stays = (self.mix.visits + 1) * self.people_in_a_gap;
        (self.people + last_one_stays) * self.mix.moments()
    }

    /// Who does what at a number.
    pub(crate) fn at(&self, number: u64) -> Option<(u64, Act)> {
        let Mix {
            visits,
            logout_every,
            wrong_every,
            ..
        } = self.mix;
        let (beat, place) = (number / self.mix.moments(), number % self.mix.moments());
        let gaps = place.saturating_sub(1);
        let person = beat.checked_sub(gaps * self.people_in_a_gap)?;
        if person >= self.people {
            return None;
        }
        let one_in = |every: u64| every > 0 && person.is_multiple_of(every);
        let act = match place {
            0 if one_in(wrong_every) => Act::Mistype,
            0 => return None,
            1 => Act::LogIn,
            _ if gaps <= visits => Act::Visit(gaps),
            _ if one_in(logout_every) => Act::LogOut,
            _ => Act::Leave,
        };
        Some((person, act))
    }

    pub(crate) fn comes(&self, person: u64, cookies: String) {
        self.present().insert(person, cookies);
    }

    /// Their cookies; none if they have not logged in yet, or in vain, or were given none.
    pub(crate) fn cookies(&self, person: u64) -> Option<String> {
        self.present().get(&person).cloned()
    }

    pub(crate) fn goes(&self, person: u64) -> Option<String> {
        self.present().remove(&person)
    }

    fn present(&self) -> MutexGuard<'_, HashMap<u64, String>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_every_moment_once_and_in_order() {
        let mix = Mix {
            visits: 2,
            gap_seconds: 3,
            logout_every: 2,
            wrong_every: 3,
        };
        let campus = Campus::new(mix, 10, 2);
        let mut seen: Vec<(u64, Act, u64)> = (0..campus.numbers())
            .filter_map(|number| {
                let (person, act) = campus.at(number)?;
                Some((person, act, number / mix.moments()))
            })
            .collect();
        assert_eq!(campus.at(campus.numbers()), None);
        seen.sort_by_key(|(person, _, beat)| (*person, *beat));
        for person in 0..10 {
            let theirs = seen.iter().filter(|(who, ..)| *who == person);
            let theirs: Vec<_> = theirs.map(|(_, act, beat)| (*act, *beat)).collect();
            let mut expected = vec![
                (Act::LogIn, person),
                (Act::Visit(1), person + 6),
                (Act::Visit(2), person + 12),
            ];
            if person.is_multiple_of(3) {
                expected.insert(0, (Act::Mistype, person));
            }
            let last = if person.is_multiple_of(2) {
                Act::LogOut
            } else {
                Act::Leave
            };
            expected.push((last, person + 18));
            assert_eq!(theirs, expected, "person {person}");
        }
    }

    #[test]
    fn nobody_logs_out_or_mistypes_unless_told() {
        let mix = Mix {
            visits: 0,
            gap_seconds: 1,
            logout_every: 0,
            wrong_every: 0,
        };
        let campus = Campus::new(mix, 5, 1);
        let acts: Vec<_> = (0..campus.numbers())
            .filter_map(|number| Some(campus.at(number)?.1))
            .collect();
        assert_eq!(acts.iter().filter(|act| **act == Act::LogIn).count(), 5);
        assert_eq!(acts.iter().filter(|act| **act == Act::Leave).count(), 5);
        assert_eq!(acts.len(), 10);
    }
}
