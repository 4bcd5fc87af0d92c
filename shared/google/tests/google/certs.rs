//! Google's keys for push tokens against the certificates stand-in.

use std::{collections::BTreeMap, time::Duration};

use launchgate_google::{Endpoints, Freshness, KeySet};
use launchgate_standin::{GoogleCerts as Standin, SigningKey};

fn certs(standin: &Standin, freshness: Freshness) -> KeySet {
    let variables = BTreeMap::from([("LAUNCHGATE_GOOGLE_CERTS_ENDPOINT".to_owned(), standin.endpoint())]);
    KeySet::google(&Endpoints::from_variables(&variables).unwrap(), freshness).unwrap()
}

/// No time between fetches, for tests of what happens after it.
fn eager() -> Freshness {
    Freshness { fetch_every: Duration::ZERO, ..Freshness::default() }
}

const FIRST: SigningKey = SigningKey::First;
const SECOND: SigningKey = SigningKey::Second;

#[tokio::test]
async fn the_first_use_fetches_and_later_ones_do_not() {
    let standin = Standin::start().await.unwrap();
    let certs = certs(&standin, Freshness::default());
    assert!(certs.current().is_none());

    let keys = certs.refresh_for(FIRST.kid()).await.unwrap();

    assert!(keys.has(FIRST.kid()));
    assert!(certs.current().unwrap().has(FIRST.kid()));
    certs.refresh_for(FIRST.kid()).await.unwrap();
    assert_eq!(standin.fetches(), 1);
}

#[tokio::test]
async fn a_rotated_key_is_found_by_one_more_fetch() {
    let standin = Standin::start().await.unwrap();
    let certs = certs(&standin, eager());
    certs.refresh_for(FIRST.kid()).await.unwrap();
    standin.rotate();

    assert!(certs.refresh_for(SECOND.kid()).await.unwrap().has(SECOND.kid()));

    assert_eq!(standin.fetches(), 2);
}

#[tokio::test]
async fn made_up_key_ids_cost_one_fetch_in_ten_seconds_and_get_an_answer() {
    let standin = Standin::start().await.unwrap();
    let certs = certs(&standin, Freshness::default());

    for kid in ["a", "b", "c"] {
        assert!(!certs.refresh_for(kid).await.unwrap().has(kid));
    }

    assert_eq!(standin.fetches(), 1);
}

#[tokio::test]
async fn a_missing_key_is_settled_only_by_a_fetch_that_began_after_the_question() {
    let standin = Standin::start().await.unwrap();
    let slow = certs(&standin, Freshness::default());

    assert!(!slow.settled_for("a").await.unwrap().has("a"), "the first question fetches");
    slow.settled_for("b").await.unwrap_err();
    assert!(slow.settled_for(FIRST.kid()).await.unwrap().has(FIRST.kid()), "a key at hand needs no fetch");

    let certs = certs(&standin, eager());
    assert!(!certs.settled_for("a").await.unwrap().has("a"));
    assert!(!certs.settled_for("b").await.unwrap().has("b"));
}

#[tokio::test]
async fn callers_that_come_together_share_one_fetch() {
    let standin = Standin::start().await.unwrap();
    let certs = certs(&standin, Freshness::default());

    let waiting: Vec<_> = (0..16)
        .map(|_| {
            let certs = certs.clone();
            tokio::spawn(async move { certs.refresh_for(FIRST.kid()).await.unwrap().has(FIRST.kid()) })
        })
        .collect();
    for one in waiting {
        assert!(one.await.unwrap());
    }

    assert_eq!(standin.fetches(), 1);
}

#[tokio::test]
async fn keys_that_could_not_be_fetched_are_an_error_and_never_no_key() {
    let standin = Standin::start().await.unwrap();
    standin.set_failing(true);
    let certs = certs(&standin, Freshness::default());

    certs.refresh_for(FIRST.kid()).await.unwrap_err();
    let error = certs.refresh_for(FIRST.kid()).await.unwrap_err();

    assert!(error.to_string().contains("/oauth2/v3/certs"), "{error}");
    assert_eq!(standin.fetches(), 1, "a failure counts as a fetch");
}

#[tokio::test]
async fn known_keys_go_on_counting_while_fetches_fail() {
    let standin = Standin::start().await.unwrap();
    let certs = certs(&standin, eager());
    certs.refresh_for(FIRST.kid()).await.unwrap();
    standin.set_failing(true);

    certs.refresh_for(SECOND.kid()).await.unwrap_err();

    assert!(certs.current().unwrap().has(FIRST.kid()));
    assert!(certs.refresh_for(FIRST.kid()).await.is_ok());
}
