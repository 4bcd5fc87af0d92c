//! Publishing one event until it is taken in, with a signature that still counts when it is.
//!
//! Promises: every copy that is sent is of the same statement, so that two that arrive are one event; a token that
//! has grown old is not sent again, a new one is. Does not: make the statement, or know where it goes.

use std::time::Duration;

use crate::failure::Failure;

/// The wait before the second try; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What publishing needs of the world.
pub(crate) trait Way {
    /// Time since some instant, by a clock that never goes back.
    fn now(&self) -> Duration;

    /// Lets time pass.
    async fn pause(&mut self, wait: Duration);

    /// The event as JSON, its signature made now.
    async fn seal(&mut self) -> Result<EventCopy, Failure>;

    /// Publishes; answers what it is known by there, such as the message id.
    async fn publish(&mut self, envelope: &str) -> Result<String, Failure>;
}

/// The event, ready to be sent.
pub(crate) struct EventCopy {
    pub(crate) envelope: String,
    /// From when it was asked for until it is too old; `None` for a key's signature, which does not age.
    pub(crate) young_for: Option<Duration>,
}

/// Publishes; what passes by itself is tried again for `patience`. Answers what `publish` did.
pub(crate) async fn published(way: &mut impl Way, patience: Duration) -> Result<String, Failure> {
    let begun = way.now();
    let mut wait = FIRST_WAIT;
    let mut held = None;
    loop {
        match try_once(way, &mut held).await {
            Err(Failure::Transient(_)) if way.now() + wait <= begun + patience => {
                way.pause(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            answer => return answer,
        }
    }
}

/// A copy and when it was asked for: the token in it is younger than that says.
type Held = Option<(Duration, EventCopy)>;

async fn try_once(way: &mut impl Way, held: &mut Held) -> Result<String, Failure> {
    let now = way.now();
    let is_old = |(at, copy): &(Duration, EventCopy)| copy.young_for.is_some_and(|young| now >= *at + young);
    let (_, copy) = match held.take().filter(|copy| !is_old(copy)) {
        Some(young) => held.insert(young),
        None => held.insert((now, way.seal().await?)),
    };
    way.publish(&copy.envelope).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::VecDeque;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    /// A world whose clock is moved by what happens in it.
    #[derive(Default)]
    struct Scripted {
        now: Duration,
        /// How long each try takes, and whether it succeeds; afterwards all do at once.
        tries: VecDeque<(Duration, Result<(), Failure>)>,
        young_for: Option<Duration>,
        sealed: u32,
        /// When which copy was sent.
        sent: Vec<(Duration, String)>,
    }

    impl Way for Scripted {
        fn now(&self) -> Duration {
            self.now
        }

        async fn pause(&mut self, wait: Duration) {
            self.now += wait;
        }

        async fn seal(&mut self) -> Result<EventCopy, Failure> {
            self.sealed += 1;
            Ok(EventCopy { envelope: format!("copy {}", self.sealed), young_for: self.young_for })
        }

        async fn publish(&mut self, envelope: &str) -> Result<String, Failure> {
            self.sent.push((self.now, envelope.to_owned()));
            let (takes, answer) = self.tries.pop_front().unwrap_or((Duration::ZERO, Ok(())));
            self.now += takes;
            answer.map(|()| "17".to_owned())
        }
    }

    /// Transient failures, each after `takes`.
    fn failing(count: usize, takes: Duration) -> VecDeque<(Duration, Result<(), Failure>)> {
        (0..count).map(|_| (takes, Err(Failure::Transient("not now".to_owned())))).collect()
    }

    async fn publish(way: &mut Scripted, patience: Duration) -> Result<String, Failure> {
        published(way, patience).await
    }

    #[tokio::test]
    async fn one_copy_is_enough_when_it_is_taken_at_once() {
        let mut way = Scripted { young_for: Some(4 * MINUTE), ..Scripted::default() };

        assert_eq!(publish(&mut way, MINUTE).await.unwrap(), "17");

        assert_eq!((way.sealed, way.sent.len()), (1, 1));
    }

    #[tokio::test]
    async fn a_token_that_has_grown_old_is_minted_again_and_a_young_one_is_not() {
        // Each try takes 40 s, and fails for six minutes.
        let young_for = Some(4 * MINUTE);
        let mut way =
            Scripted { young_for, tries: failing(7, Duration::from_secs(40)), ..Scripted::default() };

        publish(&mut way, 10 * MINUTE).await.unwrap();

        assert_eq!(way.sealed, 2);
        let mut minted = Duration::ZERO;
        let mut last = "copy 1";
        for (at, copy) in &way.sent {
            if copy != last {
                assert!(*at >= minted + 4 * MINUTE, "minted again at {at:?}, though still young");
                (minted, last) = (*at, copy);
            }
            assert!(*at < minted + 4 * MINUTE, "{copy} was sent at {at:?}, too old");
        }
    }

    #[tokio::test]
    async fn a_token_without_a_future_is_minted_for_each_try() {
        let tries = failing(2, Duration::ZERO);
        let mut way = Scripted { young_for: Some(Duration::ZERO), tries, ..Scripted::default() };

        publish(&mut way, MINUTE).await.unwrap();

        assert_eq!((way.sealed, way.sent.len()), (3, 3));
    }

    #[tokio::test]
    async fn a_signature_by_a_key_does_not_age() {
        let mut way = Scripted { tries: failing(9, MINUTE), ..Scripted::default() };

        publish(&mut way, 30 * MINUTE).await.unwrap();

        assert_eq!((way.sealed, way.sent.len()), (1, 10));
    }

    #[tokio::test]
    async fn patience_ends_and_what_is_final_is_not_tried_again() {
        let mut way = Scripted { tries: failing(1000, Duration::from_secs(10)), ..Scripted::default() };
        let error = publish(&mut way, 5 * MINUTE).await.unwrap_err();
        assert!(matches!(error, Failure::Transient(_)));
        assert!(way.now <= 5 * MINUTE + Duration::from_secs(10), "{:?}", way.now);

        let mut none = Scripted { tries: failing(1, Duration::ZERO), ..Scripted::default() };
        publish(&mut none, Duration::ZERO).await.unwrap_err();
        assert_eq!(none.sent.len(), 1);

        let tries = VecDeque::from([(Duration::ZERO, Err(Failure::usage("no such topic")))]);
        let mut way = Scripted { tries, ..Scripted::default() };
        assert!(matches!(publish(&mut way, MINUTE).await, Err(Failure::Usage(_))));
        assert_eq!(way.sent.len(), 1);
    }
}
