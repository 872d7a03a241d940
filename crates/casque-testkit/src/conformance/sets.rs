use std::time::Duration;

use super::Lab;

/// `append` returns how many live members there are, as a throttle needs it.
pub async fn a_set_counts_its_members(lab: Lab) {
    let (key, other, deadline) = (lab.key("a"), lab.key("b"), lab.seconds_from_now(10));
    assert!(lab.members(&key).await.is_empty());
    assert_eq!(lab.append(&key, b"one", deadline).await, 1);
    assert_eq!(lab.append(&key, b"two", deadline).await, 2);
    assert_eq!(
        lab.append(&key, b"two", deadline).await,
        2,
        "a set holds a member once"
    );
    assert_eq!(
        lab.append(&other, b"two", deadline).await,
        1,
        "another set counts for itself"
    );
    assert_eq!(lab.members(&key).await, [b"one", b"two"]);
    assert_eq!(
        lab.members(&key).await,
        [b"one", b"two"],
        "reading keeps them"
    );
    lab.clock.set(deadline);
    assert!(lab.members(&key).await.is_empty());
    assert_eq!(lab.append(&key, b"three", lab.seconds_from_now(1)).await, 1);
}

/// Two that append the same member in either order leave the same set.
pub async fn a_member_appended_again_keeps_the_later_deadline(lab: Lab) {
    let (longer, shorter) = (lab.key("longer"), lab.key("shorter"));
    let (soon, late) = (lab.seconds_from_now(10), lab.seconds_from_now(20));
    assert_eq!(lab.append(&longer, b"m", soon).await, 1);
    assert_eq!(lab.append(&longer, b"m", late).await, 1);
    assert_eq!(lab.append(&shorter, b"m", late).await, 1);
    assert_eq!(lab.append(&shorter, b"m", soon).await, 1);
    lab.clock.set(soon);
    assert_eq!(lab.sweep(10).await, 0);
    assert_eq!(lab.members(&longer).await, [b"m"]);
    assert_eq!(lab.members(&shorter).await, [b"m"]);
    lab.clock.set(late);
    assert!(lab.members(&longer).await.is_empty());
    assert_eq!(
        lab.append(&longer, b"m", lab.seconds_from_now(1)).await,
        1,
        "as if it were new"
    );
    lab.clock.advance(Duration::from_secs(1));
    assert!(lab.members(&longer).await.is_empty());
}

/// Live one millisecond before its own deadline, gone at it, for every operation; a set vanishes with its last member.
pub async fn each_member_has_its_own_deadline(lab: Lab) {
    let key = lab.key("set");
    let deadlines: Vec<_> = (1..=5).map(|second| lab.seconds_from_now(second)).collect();
    for (number, deadline) in (1_u8..).zip(&deadlines) {
        assert_eq!(
            lab.append(&key, &[number], *deadline).await,
            usize::from(number)
        );
    }
    for (number, deadline) in (1_u8..).zip(&deadlines) {
        lab.clock.set(*deadline - Duration::from_millis(1));
        assert_eq!(lab.members(&key).await.first(), Some(&vec![number]));
        lab.clock.set(*deadline);
        assert_eq!(lab.members(&key).await.len(), 5 - usize::from(number));
        assert!(
            !lab.remove_member(&key, &[number]).await,
            "an expired member is not there to remove"
        );
    }
    assert!(lab.take_members(&key).await.is_empty());

    let (soon, late) = (lab.seconds_from_now(1), lab.seconds_from_now(2));
    assert_eq!(lab.append(&key, b"soon", soon).await, 1);
    assert_eq!(lab.append(&key, b"late", late).await, 2);
    lab.clock.set(soon);
    assert_eq!(
        lab.append(&key, b"new", late).await,
        2,
        "the expired one does not count"
    );
    assert_eq!(
        lab.take_members(&key).await,
        [&b"late"[..], b"new"],
        "nor is it taken"
    );
    assert_eq!(lab.held(), 0);
}

/// Removing one member leaves the others.
pub async fn members_are_removed_one_by_one(lab: Lab) {
    let (key, deadline) = (lab.key("set"), lab.seconds_from_now(10));
    assert!(!lab.remove_member(&key, b"one").await);
    for member in [b"one", b"two", b"six"] {
        lab.append(&key, member, deadline).await;
    }
    assert!(
        !lab.remove_member(&key, b"on").await,
        "a member is its whole text"
    );
    assert!(lab.remove_member(&key, b"one").await);
    assert!(!lab.remove_member(&key, b"one").await);
    assert_eq!(lab.members(&key).await, [b"six", b"two"]);
    assert_eq!(lab.append(&key, b"one", deadline).await, 3);
}

/// Removing some members leaves the others, and counts those that were there and live, each once.
pub async fn some_members_are_removed_at_once(lab: Lab) {
    let (key, other) = (lab.key("set"), lab.key("other"));
    let (soon, late) = (lab.seconds_from_now(5), lab.seconds_from_now(10));
    assert_eq!(lab.remove_members(&key, &[b"one"]).await, 0);
    for number in 0..300_u32 {
        lab.append(&key, &number.to_be_bytes(), late).await;
    }
    lab.append(&key, b"soon", soon).await;
    lab.append(&other, b"soon", late).await;
    lab.clock.set(soon);
    let numbers: Vec<[u8; 4]> = (0..200_u32).map(u32::to_be_bytes).collect();
    let mut removed: Vec<&[u8]> = numbers.iter().map(|number| &number[..]).collect();
    removed.extend([&b"soon"[..], b"nobody", &numbers[0]]);
    assert_eq!(lab.remove_members(&key, &[]).await, 0);
    assert_eq!(lab.remove_members(&key, &removed).await, 200);
    assert_eq!(lab.remove_members(&key, &removed).await, 0);
    let left: Vec<Vec<u8>> = (200..300_u32).map(|n| n.to_be_bytes().to_vec()).collect();
    assert_eq!(lab.members(&key).await, left);
    assert_eq!(lab.members(&other).await, [b"soon"]);
}

/// All at once, and nothing afterwards.
pub async fn take_members_empties_the_set(lab: Lab) {
    let (key, other, deadline) = (lab.key("a"), lab.key("b"), lab.seconds_from_now(10));
    assert!(lab.take_members(&key).await.is_empty());
    for member in [b"one", b"two"] {
        lab.append(&key, member, deadline).await;
    }
    lab.append(&other, b"one", deadline).await;
    assert_eq!(lab.take_members(&key).await, [b"one", b"two"]);
    assert!(lab.take_members(&key).await.is_empty());
    assert!(lab.members(&key).await.is_empty());
    assert_eq!(lab.members(&other).await, [b"one"]);
    assert_eq!(lab.append(&key, b"one", deadline).await, 1, "a new set");
}

/// No byte of a member means anything to the store, and only equal members are the same.
pub async fn members_are_opaque_bytes(lab: Lab) {
    let (key, deadline) = (lab.key("set"), lab.seconds_from_now(10));
    let every_byte: Vec<u8> = (0..=255).collect();
    let long = vec![b'm'; 64 * 1024];
    let mut members: Vec<&[u8]> = vec![
        b"",
        b"\0",
        b"\0\0",
        b"a",
        b"A",
        b"a ",
        b"*",
        b"\r\n",
        b"\xFF",
        &every_byte,
        &long,
    ];
    for (count, member) in (1..).zip(&members) {
        assert_eq!(lab.append(&key, member, deadline).await, count);
    }
    members.sort_unstable();
    assert_eq!(lab.members(&key).await, members);
    for member in &members {
        assert!(lab.remove_member(&key, member).await);
    }
    assert_eq!(lab.held(), 0);
}

/// A thousand members, expiring one after the other, then appended again, removed and taken.
pub async fn a_large_set_works_like_a_small_one(lab: Lab) {
    const MANY: u32 = 1000;
    let (key, start) = (lab.key("set"), lab.seconds_from_now(0));
    let at = |step: u32| start + Duration::from_secs(step.into());
    for number in 0..MANY {
        let count = lab
            .append(&key, &number.to_be_bytes(), at(number + 1))
            .await;
        assert_eq!(count, number as usize + 1);
    }
    let mut again = Vec::new();
    for step in [1, 2, 500, 990] {
        lab.clock.set(at(step));
        let expected = || again.iter().copied().chain(step..MANY);
        assert!(
            lab.members(&key)
                .await
                .into_iter()
                .eq(expected().map(|number| number.to_be_bytes().to_vec()))
        );
        let count = lab.append(&key, &step.to_be_bytes(), at(MANY + 1)).await;
        assert_eq!(
            count,
            expected().count(),
            "appended again, with a later deadline"
        );
        again.push(step);
    }
    assert!(lab.remove_member(&key, &995_u32.to_be_bytes()).await);
    assert!(!lab.remove_member(&key, &3_u32.to_be_bytes()).await);
    lab.clock.set(at(MANY));
    let left = again.iter().map(|number| number.to_be_bytes().to_vec());
    assert!(lab.take_members(&key).await.into_iter().eq(left));
    assert_eq!(lab.held(), 0);
}
