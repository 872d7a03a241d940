use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use casque_store::{Key, MAX_VALUE_BYTES, StoreError};

use super::Lab;

/// The plain life of a record.
pub async fn a_record_is_made_read_and_removed(lab: Lab) {
    let (key, other) = (lab.key("a"), lab.key("b"));
    let deadline = lab.seconds_from_now(10);
    assert_eq!(lab.get(&key).await, None);
    assert_eq!(lab.take(&key).await, None);
    assert!(!lab.delete(&key).await);
    assert!(!lab.touch(&key, deadline).await);

    assert!(lab.create(&key, b"one", deadline).await);
    assert!(!lab.create(&key, b"two", deadline).await);
    assert_eq!(lab.get(&key).await.as_deref(), Some(&b"one"[..]));
    assert_eq!(
        lab.get(&key).await.as_deref(),
        Some(&b"one"[..]),
        "reading keeps it"
    );
    assert_eq!(lab.get(&other).await, None);

    assert!(!lab.delete(&other).await);
    assert_eq!(lab.take(&key).await.as_deref(), Some(&b"one"[..]));
    assert_eq!(lab.take(&key).await, None);
    assert_eq!(lab.get(&key).await, None);

    assert!(
        lab.create(&key, b"three", deadline).await,
        "the name is free again"
    );
    assert!(lab.delete(&key).await);
    assert!(!lab.delete(&key).await);
    assert_eq!(lab.get(&key).await, None);
}

/// No byte means anything to the store.
pub async fn values_are_opaque_bytes(lab: Lab) {
    let deadline = lab.seconds_from_now(10);
    let every_byte: Vec<u8> = (0..=255).collect();
    for (number, value) in [
        &b""[..],
        b"\0",
        b"\r\n",
        "é\u{10FFFF}".as_bytes(),
        &every_byte,
    ]
    .into_iter()
    .enumerate()
    {
        let key = lab.key(number.to_string());
        assert!(lab.create(&key, value, deadline).await);
        assert_eq!(lab.get(&key).await.as_deref(), Some(value));
        assert_eq!(lab.take(&key).await.as_deref(), Some(value));
    }
}

/// Long values come back whole.
pub async fn a_value_of_one_mebibyte_comes_back(lab: Lab) {
    let key = lab.key("long");
    let value: Vec<u8> = (0..1024 * 1024_u32)
        .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1])
        .collect();
    assert!(lab.create(&key, &value, lab.seconds_from_now(10)).await);
    assert!(
        lab.get(&key).await.as_ref() == Some(&value),
        "read back differs"
    );
    assert!(lab.take(&key).await == Some(value), "taken differs");
}

/// Over the limit nothing is stored, and the caller is told that it is at fault.
pub async fn too_long_values_are_refused(lab: Lab) {
    let (key, deadline) = (lab.key("too long"), lab.seconds_from_now(10));
    let too_long = vec![0; MAX_VALUE_BYTES + 1];
    let created = lab.store.create(&key, too_long.clone(), deadline).await;
    assert!(
        matches!(created, Err(StoreError::Misuse { .. })),
        "{created:?}"
    );
    let appended = lab.store.append(&key, too_long, deadline).await;
    assert!(
        matches!(appended, Err(StoreError::Misuse { .. })),
        "{appended:?}"
    );
    assert_eq!(lab.get(&key).await, None);
    assert_eq!(lab.held(), 0);
}

/// S-005: what is stored as one kind is not found as another.
pub async fn kinds_are_separate(lab: Lab) {
    let deadline = lab.seconds_from_now(10);
    let [st, pt] = ["st", "pt"].map(|kind| Key::new(kind, b"ST-1-same", &lab.hasher));
    assert!(lab.create(&st, b"service", deadline).await);
    assert_eq!(lab.get(&pt).await, None);
    assert_eq!(lab.take(&pt).await, None);
    assert!(!lab.delete(&pt).await);
    assert!(!lab.touch(&pt, deadline).await);
    assert!(lab.create(&pt, b"proxy", deadline).await);
    assert_eq!(lab.take(&st).await.as_deref(), Some(&b"service"[..]));
    assert_eq!(lab.get(&pt).await.as_deref(), Some(&b"proxy"[..]));

    assert_eq!(lab.append(&st, b"m", deadline).await, 1);
    assert!(lab.members(&pt).await.is_empty());
    assert!(lab.take_members(&pt).await.is_empty());
    assert_eq!(lab.members(&st).await, [b"m"]);
}

/// One key may name a record and a set, which then have nothing to do with each other.
pub async fn records_and_sets_are_separate(lab: Lab) {
    let (key, deadline) = (lab.key("both"), lab.seconds_from_now(10));
    assert_eq!(lab.append(&key, b"member", deadline).await, 1);
    assert_eq!(lab.get(&key).await, None);
    assert!(lab.create(&key, b"value", deadline).await);
    assert_eq!(lab.members(&key).await, [b"member"]);
    assert!(lab.delete(&key).await);
    assert_eq!(lab.members(&key).await, [b"member"]);
    assert!(lab.create(&key, b"value", deadline).await);
    assert_eq!(lab.take_members(&key).await, [b"member"]);
    assert_eq!(lab.take(&key).await.as_deref(), Some(&b"value"[..]));
}

/// SC-052 (S-077): names with `: * ? CR LF NUL`, SQL, patterns and 64 kB reach no key but their own.
pub async fn hostile_names_touch_only_themselves(lab: Lab) {
    let deadline = lab.seconds_from_now(10);
    let long = vec![b'A'; 64 * 1024];
    let hostile: Vec<&[u8]> = vec![
        b"",
        b":",
        b"*",
        b"?",
        b"\r\n",
        b"\0",
        b"bystander\0",
        b"bystander\r\nDEL bystander",
        b"casque:test:*",
        b"[a-z]*",
        b"%",
        b"_",
        b"' OR '1'='1",
        b"'; DELETE FROM record; --",
        b"{bystander}",
        b"\xFF\xFE",
        &long,
    ];
    let bystander = lab.key("bystander");
    assert!(lab.create(&bystander, b"untouched", deadline).await);
    assert_eq!(lab.append(&bystander, b"member", deadline).await, 1);
    for name in &hostile {
        let key = lab.key(name);
        assert_eq!(lab.get(&key).await, None);
        assert_eq!(lab.take(&key).await, None);
        assert!(!lab.delete(&key).await);
        assert!(!lab.touch(&key, deadline).await);
        assert!(lab.take_members(&key).await.is_empty());
        assert!(!lab.remove_member(&key, b"member").await);
    }
    assert_eq!(lab.held(), 2, "keys touched");
    for name in &hostile {
        assert!(lab.create(&lab.key(name), name, deadline).await);
        assert_eq!(lab.append(&lab.key(name), name, deadline).await, 1);
    }
    for name in &hostile {
        assert_eq!(lab.take(&lab.key(name)).await.as_deref(), Some(*name));
        assert_eq!(lab.take_members(&lab.key(name)).await, [*name]);
    }
    assert_eq!(
        lab.take(&bystander).await.as_deref(),
        Some(&b"untouched"[..])
    );
    assert_eq!(lab.take_members(&bystander).await, [b"member"]);
    assert_eq!(lab.held(), 0);
}

/// Making a future and dropping it changes nothing.
pub async fn a_future_does_nothing_until_it_is_polled(lab: Lab) {
    let (key, new, deadline) = (lab.key("here"), lab.key("new"), lab.seconds_from_now(10));
    assert!(lab.create(&key, b"value", deadline).await);
    assert_eq!(lab.append(&key, b"member", deadline).await, 1);
    drop(lab.store.take(&key));
    drop(lab.store.delete(&key));
    drop(lab.store.take_members(&key));
    drop(lab.store.remove_member(&key, b"member"));
    drop(lab.store.touch(&key, lab.seconds_from_now(0)));
    drop(lab.store.create(&new, b"value".to_vec(), deadline));
    drop(lab.store.append(&new, b"member".to_vec(), deadline));
    assert_eq!(lab.get(&key).await.as_deref(), Some(&b"value"[..]));
    assert_eq!(lab.members(&key).await, [b"member"]);
    assert_eq!(lab.held(), 2);
}

/// A caller dropped while it waits leaves an operation that took place as a whole or not at all, and a store that works.
pub async fn callers_that_go_away_leave_whole_operations(lab: Lab) {
    const ROUNDS: usize = 200;
    let deadline = lab.seconds_from_now(10);
    for round in 0..ROUNDS {
        let (created, taken, set) = (
            lab.key(format!("created {round}")),
            lab.key(format!("taken {round}")),
            lab.key(format!("set {round}")),
        );
        assert!(lab.create(&taken, b"whole", deadline).await);
        assert_eq!(lab.append(&set, b"one", deadline).await, 1);
        assert_eq!(lab.append(&set, b"two", deadline).await, 2);
        poll_and_drop(lab.store.create(&created, b"whole".to_vec(), deadline));
        let answered = poll_and_drop(lab.store.take(&taken)).is_some();
        let drained = poll_and_drop(lab.store.take_members(&set)).is_some();

        // Later operations on the same keys come after the abandoned ones, or find that those never happened.
        let seen = lab.take(&created).await;
        assert!(seen.is_none_or(|value| value == b"whole"));
        let seen = lab.take(&taken).await;
        assert!(seen.is_none() || !answered, "taken twice");
        assert!(seen.is_none_or(|value| value == b"whole"));
        let left = lab.take_members(&set).await.len();
        assert!(left == 0 || left == 2 && !drained, "half of a set is left");
        assert_eq!(lab.take(&taken).await, None);
    }
    let (key, last) = (lab.key("last"), lab.seconds_from_now(10));
    assert!(lab.create(&key, b"works", last).await);
    assert_eq!(lab.take(&key).await.as_deref(), Some(&b"works"[..]));
}

/// Polls once, as a caller does that is cancelled at its first wait.
fn poll_and_drop<T>(
    mut future: Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + '_>>,
) -> Option<T> {
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(outcome) => Some(outcome.expect("the store works")),
        Poll::Pending => None,
    }
}

/// A store that works says so.
pub async fn the_store_answers_a_ping(lab: Lab) {
    lab.store.ping().await.expect("ping");
    assert_eq!(lab.held(), 0, "a ping leaves nothing");
}
