use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use casque_store::{Cursor, Entry, Key, Shape, StoreError};

use super::Lab;

/// What a walk found, by key, shape and member; whatever came twice once.
type Found = BTreeMap<(String, bool, Vec<u8>), (Vec<u8>, SystemTime)>;

fn place(entry: &Entry) -> (String, bool, Vec<u8>) {
    let member = match entry.shape {
        Shape::Record => Vec::new(),
        Shape::Member => entry.value.clone(),
    };
    (entry.key.to_string(), entry.shape == Shape::Member, member)
}

/// Walks to the end, and returns what was found and the number of pages.
async fn walk(lab: &Lab, kind: Option<&str>, limit: usize) -> (Found, usize) {
    let (mut found, mut pages, mut cursor) = (Found::new(), 0, None);
    loop {
        let page = lab
            .store
            .walk(kind, cursor.as_ref(), limit)
            .await
            .expect("walk");
        pages += 1;
        assert!(pages < 10_000, "a walk ends");
        for entry in page.entries {
            found.insert(place(&entry), (entry.value, entry.deadline));
        }
        cursor = page.next;
        if cursor.is_none() {
            return (found, pages);
        }
    }
}

fn is_about(time: SystemTime, expected: SystemTime) -> bool {
    let apart = time
        .duration_since(expected)
        .unwrap_or_else(|error| error.duration());
    apart <= Duration::from_millis(1)
}

/// Everything that is live is found, with its value and deadline; nothing else is.
pub async fn a_walk_finds_what_is_live(lab: Lab) {
    let (soon, late) = (lab.seconds_from_now(10), lab.seconds_from_now(20));
    let mut expected = Found::new();
    for number in 0..40_u8 {
        let (record, set) = (lab.key([b'r', number]), lab.key([b's', number]));
        assert!(lab.create(&record, &[number; 3], late).await);
        expected.insert(
            (record.to_string(), false, Vec::new()),
            (vec![number; 3], late),
        );
        for member in 0..3 {
            lab.append(&set, &[member], late).await;
            expected.insert((set.to_string(), true, vec![member]), (vec![member], late));
        }
        // Gone by then: one that ends sooner, one that is taken, one that is removed.
        assert!(lab.create(&lab.key([b'x', number]), b"x", soon).await);
        lab.append(&set, b"soon", soon).await;
        let taken = lab.key([b't', number]);
        assert!(lab.create(&taken, b"t", late).await);
        lab.take(&taken).await;
        lab.append(&set, b"removed", late).await;
        assert!(lab.remove_member(&set, b"removed").await);
    }
    lab.clock.advance(Duration::from_secs(10));
    for limit in [1, 7, 1000] {
        let (found, _) = walk(&lab, None, limit).await;
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "pages of {limit}"
        );
        for (place, (value, deadline)) in &found {
            let (expected, late) = &expected[place];
            assert_eq!(value, expected, "{place:?}");
            assert!(is_about(*deadline, *late), "{place:?}: {deadline:?}");
        }
    }
    lab.clock.advance(Duration::from_secs(10));
    assert_eq!(walk(&lab, None, 7).await.0, Found::new());
}

/// A walk of one kind gives no other, and the names of kinds do not run into each other.
pub async fn a_walk_of_one_kind_gives_no_other(lab: Lab) {
    let end = lab.seconds_from_now(10);
    for kind in ["test", "tes", "test-more"] {
        let key = Key::new(kind, b"a", &lab.hasher);
        assert!(lab.create(&key, kind.as_bytes(), end).await);
        lab.append(&key, kind.as_bytes(), end).await;
    }
    let (found, _) = walk(&lab, Some("test"), 10).await;
    let values: Vec<&[u8]> = found.values().map(|(value, _)| &value[..]).collect();
    assert_eq!(values, [b"test", b"test"]);
    assert_eq!(walk(&lab, Some("none"), 10).await.0, Found::new());
    assert_eq!(walk(&lab, None, 10).await.0.len(), 6);
}

/// A page does not hold everything, however much there is.
pub async fn a_walk_is_in_pages(lab: Lab) {
    let end = lab.seconds_from_now(10);
    for number in 0..200_u8 {
        assert!(lab.create(&lab.key([number]), b"v", end).await);
    }
    let page = lab.store.walk(None, None, 20).await.expect("walk");
    assert!(page.entries.len() <= 100, "{} entries", page.entries.len());
    assert!(page.next.is_some());
    let (found, pages) = walk(&lab, None, 20).await;
    assert_eq!(found.len(), 200);
    assert!(pages > 1);
}

/// What stays is found, also while other things come and go.
pub async fn a_walk_finds_what_stays(lab: Lab) {
    let end = lab.seconds_from_now(10);
    for number in 0..60_u8 {
        assert!(lab.create(&lab.key([b's', number]), b"stays", end).await);
        assert!(lab.create(&lab.key([b'g', number]), b"goes", end).await);
    }
    let (mut found, mut cursor, mut number) = (Found::new(), None, 0_u8);
    loop {
        let page = lab
            .store
            .walk(None, cursor.as_ref(), 9)
            .await
            .expect("walk");
        for entry in page.entries {
            found.insert(place(&entry), (entry.value, entry.deadline));
        }
        lab.delete(&lab.key([b'g', number])).await;
        lab.create(&lab.key([b'n', number]), b"new", end).await;
        assert!(lab.touch(&lab.key([b's', number % 60]), end).await);
        number = number.wrapping_add(1);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let stayed = found.values().filter(|(value, _)| value == b"stays");
    assert_eq!(stayed.count(), 60);
}

/// A cursor that no store gives is refused.
pub async fn a_walk_from_nowhere_is_refused(lab: Lab) {
    for text in ["", "nonsense", "::", "record:", "member:zz:1", "99:zz", "é"] {
        let cursor = Cursor::new(text);
        let outcome = lab.store.walk(None, Some(&cursor), 10).await;
        assert!(
            matches!(outcome, Err(StoreError::Misuse { .. })),
            "{text:?}: {outcome:?}"
        );
    }
}
