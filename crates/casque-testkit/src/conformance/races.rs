use std::{collections::BTreeSet, sync::Arc, time::Duration};

use casque_store::{Clock, Key};

use super::Lab;

const CALLERS: usize = 64;
const ROUNDS: u32 = 25;
const RECORDS: usize = 400;

/// S-006, S-007: of 64 that take the same records at the same moment, one gets each.
///
/// They go through the records in the same order, so that they keep meeting.
pub async fn a_take_has_one_winner(lab: Lab) {
    let keys: Arc<[Key]> = (0..RECORDS)
        .map(|number| lab.key(number.to_be_bytes()))
        .collect();
    for (number, key) in keys.iter().enumerate() {
        assert!(
            lab.create(key, &number.to_be_bytes(), lab.seconds_from_now(10))
                .await
        );
    }
    let won = lab
        .race(CALLERS, |_, store| {
            let keys = Arc::clone(&keys);
            async move {
                let mut won = Vec::new();
                for key in &*keys {
                    won.extend(store.take(key).await.expect("take"));
                }
                won
            }
        })
        .await;
    let mut won: Vec<Vec<u8>> = won.into_iter().flatten().collect();
    won.sort();
    assert!(
        won.into_iter()
            .eq((0..RECORDS).map(|number| number.to_be_bytes().to_vec())),
        "lost, or taken twice"
    );
    assert_eq!(lab.held(), 0);
}

/// Of 64 that create the same records at the same moment, one creates each, and its value is the one that stays.
pub async fn a_create_has_one_winner(lab: Lab) {
    let keys: Arc<[Key]> = (0..RECORDS)
        .map(|number| lab.key(number.to_be_bytes()))
        .collect();
    for key in keys.iter().step_by(2) {
        // An expired record in the way makes no difference.
        assert!(lab.create(key, b"expired", lab.seconds_from_now(1)).await);
    }
    lab.clock.advance(Duration::from_secs(1));
    let deadline = lab.seconds_from_now(10);
    let won = lab
        .race(CALLERS, |caller, store| {
            let keys = Arc::clone(&keys);
            async move {
                let mut won = Vec::new();
                for key in &*keys {
                    let value = caller.to_be_bytes().to_vec();
                    if store
                        .create(key, value.clone(), deadline)
                        .await
                        .expect("create")
                    {
                        won.push((*key, value));
                    }
                }
                won
            }
        })
        .await;
    let won: Vec<(Key, Vec<u8>)> = won.into_iter().flatten().collect();
    assert_eq!(won.len(), RECORDS, "a record was made twice, or never");
    for (key, value) in won {
        assert_eq!(lab.get(&key).await, Some(value));
    }
}

/// A record that is being deleted and taken goes one way only.
pub async fn take_and_delete_have_one_winner(lab: Lab) {
    for round in 0..ROUNDS {
        let key = lab.key(round.to_be_bytes());
        assert!(lab.create(&key, b"ticket", lab.seconds_from_now(10)).await);
        let won = lab
            .race(CALLERS, |number, store| async move {
                if number % 2 == 0 {
                    store.take(&key).await.expect("take").is_some()
                } else {
                    store.delete(&key).await.expect("delete")
                }
            })
            .await;
        assert_eq!(
            won.into_iter().filter(|&won| won).count(),
            1,
            "round {round}"
        );
    }
}

/// A logout that runs beside requests that prolong the session ends it.
pub async fn a_touch_never_undoes_a_take(lab: Lab) {
    for round in 0..ROUNDS {
        let key = lab.key(round.to_be_bytes());
        assert!(lab.create(&key, b"session", lab.seconds_from_now(10)).await);
        let later = lab.clock.now() + Duration::from_mins(1);
        let taken = lab
            .race(CALLERS, |number, store| async move {
                if number == 0 {
                    store.take(&key).await.expect("take").is_some()
                } else {
                    store.touch(&key, later).await.expect("touch");
                    false
                }
            })
            .await;
        assert!(
            taken.contains(&true),
            "round {round}: nobody else could take it"
        );
        assert_eq!(lab.get(&key).await, None, "round {round}");
        assert!(!lab.touch(&key, later).await);
    }
}

/// S-007: parallel grants on one session are all registered, and every caller gets a count of its own.
pub async fn parallel_appends_are_all_counted(lab: Lab) {
    const EACH: usize = 16;
    let (key, deadline) = (lab.key("session"), lab.seconds_from_now(10));
    let counts = lab
        .race(CALLERS, |number, store| async move {
            let mut counts = Vec::new();
            for grant in 0..EACH {
                let member = format!("{number} {grant}").into_bytes();
                counts.push(store.append(&key, member, deadline).await.expect("append"));
            }
            counts
        })
        .await;
    let counts: BTreeSet<usize> = counts.into_iter().flatten().collect();
    assert!(
        counts.into_iter().eq(1..=CALLERS * EACH),
        "two callers were told the same count"
    );
    assert_eq!(lab.members(&key).await.len(), CALLERS * EACH);
}

/// Of many that empty a set while it is being filled, each member goes to one, and none is lost.
pub async fn each_member_is_taken_once(lab: Lab) {
    const EACH: usize = 8;
    let (key, deadline) = (lab.key("queue"), lab.seconds_from_now(10));
    let taken = lab
        .race(CALLERS, |number, store| async move {
            let mut taken = Vec::new();
            for turn in 0..EACH {
                if number % 2 == 0 {
                    let member = format!("{number} {turn}").into_bytes();
                    store.append(&key, member, deadline).await.expect("append");
                } else {
                    taken.extend(store.take_members(&key).await.expect("take_members"));
                }
            }
            taken
        })
        .await;
    let mut all: Vec<Vec<u8>> = taken.into_iter().flatten().collect();
    all.extend(lab.take_members(&key).await);
    let distinct: BTreeSet<_> = all.iter().collect();
    assert_eq!(
        all.len(),
        CALLERS / 2 * EACH,
        "a member was lost or given twice"
    );
    assert_eq!(distinct.len(), all.len());
    assert_eq!(lab.held(), 0);
}
