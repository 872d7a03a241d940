use std::time::Duration;

use super::Lab;

/// Live one millisecond before its deadline, gone at it, for every operation; nothing needs to sweep for that.
pub async fn a_record_ends_at_its_deadline(lab: Lab) {
    let deadline = lab.seconds_from_now(10);
    let keys = ["get", "touch", "take", "delete", "create"]
        .map(|name| [lab.key(name), lab.key([name, " late"].concat())]);
    for key in keys.as_flattened() {
        assert!(lab.create(key, b"value", deadline).await);
    }
    let [get, touch, take, delete, create] = keys;
    lab.clock.set(deadline - Duration::from_millis(1));
    assert!(lab.get(&get[0]).await.is_some());
    assert!(lab.touch(&touch[0], deadline).await);
    assert!(lab.take(&take[0]).await.is_some());
    assert!(lab.delete(&delete[0]).await);
    assert!(!lab.create(&create[0], b"other", deadline).await);

    lab.clock.set(deadline);
    assert_eq!(lab.get(&get[1]).await, None);
    assert!(!lab.touch(&touch[1], lab.seconds_from_now(10)).await);
    assert_eq!(lab.take(&take[1]).await, None);
    assert!(!lab.delete(&delete[1]).await);
    assert!(
        lab.create(&create[1], b"other", lab.seconds_from_now(10))
            .await
    );
}

/// An expired record does not keep its name, and nothing of it is left in its successor.
pub async fn an_expired_record_makes_room(lab: Lab) {
    let key = lab.key("again");
    for round in ["first", "second", "third"] {
        assert!(
            lab.create(&key, round.as_bytes(), lab.seconds_from_now(10))
                .await
        );
        assert_eq!(lab.get(&key).await.as_deref(), Some(round.as_bytes()));
        assert_eq!(lab.held(), 1);
        lab.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(lab.sweep(10).await, 1);
    assert_eq!(lab.held(), 0);
}

/// The new deadline counts, whether it is later or earlier.
pub async fn touch_moves_the_deadline_both_ways(lab: Lab) {
    let (longer, shorter, ended) = (lab.key("longer"), lab.key("shorter"), lab.key("ended"));
    for key in [&longer, &shorter, &ended] {
        assert!(lab.create(key, b"value", lab.seconds_from_now(10)).await);
    }
    assert!(lab.touch(&longer, lab.seconds_from_now(20)).await);
    assert!(lab.touch(&shorter, lab.seconds_from_now(5)).await);
    assert!(lab.touch(&ended, lab.seconds_from_now(0)).await);
    assert_eq!(lab.get(&ended).await, None);
    assert!(!lab.touch(&ended, lab.seconds_from_now(10)).await);

    lab.clock.advance(Duration::from_secs(5));
    assert_eq!(lab.get(&shorter).await, None);
    lab.clock.advance(Duration::from_secs(10));
    assert_eq!(
        lab.get(&longer).await.as_deref(),
        Some(&b"value"[..]),
        "the value stays"
    );
    lab.clock.advance(Duration::from_secs(5));
    assert_eq!(lab.get(&longer).await, None);
    assert_eq!(lab.sweep(10).await, 3, "each is swept by its new deadline");
    assert_eq!(lab.held(), 0);
}

/// What is gone stays gone.
pub async fn touch_does_not_revive(lab: Lab) {
    let (expired, taken, deleted) = (lab.key("expired"), lab.key("taken"), lab.key("deleted"));
    for key in [&expired, &taken, &deleted] {
        assert!(lab.create(key, b"value", lab.seconds_from_now(10)).await);
    }
    assert!(lab.take(&taken).await.is_some());
    assert!(lab.delete(&deleted).await);
    assert!(!lab.touch(&taken, lab.seconds_from_now(60)).await);
    assert!(!lab.touch(&deleted, lab.seconds_from_now(60)).await);
    lab.clock.advance(Duration::from_secs(10));
    assert!(!lab.touch(&expired, lab.seconds_from_now(60)).await);
    for key in [&expired, &taken, &deleted] {
        assert_eq!(lab.get(key).await, None);
        assert_eq!(lab.take(key).await, None);
    }
}

/// A record or member whose time has passed already is never seen.
pub async fn a_deadline_in_the_past_makes_nothing(lab: Lab) {
    let (key, now) = (lab.key("past"), lab.seconds_from_now(0));
    for deadline in [now, now - Duration::from_hours(1), std::time::UNIX_EPOCH] {
        assert!(
            lab.create(&key, b"value", deadline).await,
            "nothing was in the way"
        );
        assert_eq!(lab.get(&key).await, None);
        assert_eq!(lab.append(&key, b"member", deadline).await, 0);
        assert!(lab.members(&key).await.is_empty());
    }
    assert!(lab.create(&key, b"value", lab.seconds_from_now(1)).await);
    assert_eq!(
        lab.append(&key, b"member", lab.seconds_from_now(1)).await,
        1
    );
    assert_eq!(
        lab.append(&key, b"member", now).await,
        1,
        "an earlier deadline changes nothing"
    );
}

/// After the last deadline and the sweeps the back end holds nothing.
pub async fn nothing_is_left_after_expiry(lab: Lab) {
    for number in 0..300_u32 {
        let key = lab.key(number.to_be_bytes());
        let deadline = lab.seconds_from_now(u64::from(number % 7) + 1);
        assert!(lab.create(&key, b"value", deadline).await);
        lab.append(
            &lab.key([1, number.to_be_bytes()[3] % 10]),
            &number.to_be_bytes(),
            deadline,
        )
        .await;
        match number % 5 {
            0 => assert!(lab.take(&key).await.is_some()),
            1 => assert!(lab.touch(&key, lab.seconds_from_now(9)).await),
            _ => {}
        }
    }
    assert_eq!(lab.held(), 300 - 60 + 300);
    lab.clock.advance(Duration::from_secs(9));
    let mut removed = 0;
    loop {
        match lab.sweep(50).await {
            0 => break,
            some => removed += some,
        }
    }
    assert_eq!(removed, 300 - 60 + 300);
    assert_eq!(lab.held(), 0);
}

/// A sweep removes as many as it may and no more, the living excepted, and returns how many.
pub async fn a_sweep_is_bounded_and_spares_the_living(lab: Lab) {
    let (soon, late) = (lab.seconds_from_now(10), lab.seconds_from_now(20));
    let set = lab.key("set");
    for number in 0..40_u8 {
        assert!(lab.create(&lab.key([0, number]), &[number], soon).await);
        assert!(lab.create(&lab.key([1, number]), &[number], late).await);
        lab.append(&set, &[0, number], soon).await;
        lab.append(&set, &[1, number], late).await;
    }
    assert_eq!(lab.sweep(1000).await, 0, "all are live");
    lab.clock.set(soon);
    assert_eq!(lab.sweep(0).await, 0);
    let mut batches = Vec::new();
    while let removed @ 1.. = lab.sweep(30).await {
        batches.push(removed);
    }
    assert_eq!(
        batches,
        [30, 30, 20],
        "fewer than the limit only at the end"
    );
    assert_eq!(lab.held(), 80);
    for number in 0..40_u8 {
        assert_eq!(
            lab.get(&lab.key([1, number])).await.as_deref(),
            Some(&[number][..])
        );
    }
    assert_eq!(lab.members(&set).await.len(), 40);
    lab.clock.set(late);
    assert_eq!(lab.sweep(1000).await, 80);
    assert_eq!(lab.held(), 0);
}

/// What was taken or deleted holds no space until some deadline.
pub async fn removal_leaves_nothing_to_sweep(lab: Lab) {
    let (key, deadline) = (lab.key("key"), lab.seconds_from_now(10));
    for _ in 0..3 {
        assert!(lab.create(&key, b"value", deadline).await);
        assert!(lab.take(&key).await.is_some());
        assert!(lab.create(&key, b"value", deadline).await);
        assert!(lab.delete(&key).await);
        for member in [b"a", b"b", b"c"] {
            lab.append(&key, member, deadline).await;
        }
        assert!(lab.remove_member(&key, b"a").await);
        assert_eq!(lab.take_members(&key).await, [b"b", b"c"]);
        assert_eq!(lab.held(), 0);
    }
    lab.clock.set(deadline);
    assert_eq!(lab.sweep(10).await, 0);
}
