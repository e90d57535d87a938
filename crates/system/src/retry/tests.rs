use crate::retry::*;

fn backoff(policy: RetryPolicy) -> Backoff {
    policy.begin(&Jitter::seeded(7))
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_and_stay_below_the_cap() {
    let policy = RetryPolicy {
        attempts: 6,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(4),
        deadline: Duration::from_secs(600),
    };
    let mut backoff = backoff(policy);
    for bound in [1, 2, 4, 4, 4] {
        let pause = backoff
            .next_pause(ErrorKind::Retry, None)
            .expect("attempts are left");
        assert!(pause <= Duration::from_secs(bound), "{pause:?} > {bound}");
        assert!(backoff.pause(ErrorKind::Retry, None).await);
    }
    assert!(
        !backoff.pause(ErrorKind::Retry, None).await,
        "six attempts were made"
    );
    assert_eq!(backoff.attempts(), 6);
}

#[tokio::test(start_paused = true)]
async fn only_the_kind_retry_is_repeated() {
    for kind in [
        ErrorKind::Denied,
        ErrorKind::Gone,
        ErrorKind::Conflict,
        ErrorKind::Invalid,
        ErrorKind::Bug,
    ] {
        assert!(!backoff(RetryPolicy::PATIENT).pause(kind, None).await, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_is_never_asked_earlier_than_it_wants() {
    let mut backoff = backoff(RetryPolicy::PATIENT);
    let begun = Instant::now();
    assert!(
        backoff
            .pause(ErrorKind::Retry, Some(Duration::from_secs(30)))
            .await
    );
    assert!(begun.elapsed() >= Duration::from_secs(30));
    // A second pause of half a minute with jitter may still fit the deadline; an hour does not, so the call
    // ends at once.
    let before = Instant::now();
    assert!(
        !backoff
            .pause(ErrorKind::Retry, Some(Duration::from_secs(3600)))
            .await
    );
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[test]
fn jitter_follows_from_its_seed_and_keeps_its_bound() {
    let (one, same, other) = (Jitter::seeded(1), Jitter::seeded(1), Jitter::seeded(2));
    let bound = Duration::from_millis(50);
    let draw = |jitter: &Jitter| (0..100).map(|_| jitter.up_to(bound)).collect::<Vec<_>>();
    let drawn = draw(&one);
    assert_eq!(drawn, draw(&same));
    assert_ne!(drawn, draw(&other));
    assert!(drawn.iter().all(|pause| *pause <= bound));
    assert!(drawn.iter().any(|pause| *pause < bound / 4) && drawn.iter().any(|pause| *pause > bound / 2));
    assert_eq!(one.up_to(Duration::ZERO), Duration::ZERO);
}
