//! Buildkite's webhook signature, beyond the vectors.

use launchgate_statement::Sha256;
use launchgate_trust::{TrustError, WebhookError, WebhookSecrets, verify_webhook};
use proptest::prelude::*;
use ring::hmac;

use crate::published;

pub(crate) fn header(secret: &str, seconds: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let message = [format!("{seconds}.").as_bytes(), body].concat();
    let signature = hmac::sign(&key, &message);
    let hex = Sha256::from_bytes(signature.as_ref().try_into().unwrap());
    format!("timestamp={seconds},signature={hex}")
}

#[test]
fn an_empty_secret_anywhere_in_the_list_is_refused() {
    for list in ["", " ", ",", "a,", ",a", "a,,b"] {
        assert_eq!(WebhookSecrets::parse(list).map(|_| ()), Err(TrustError::EmptySecret), "{list:?}");
    }
    assert_eq!(format!("{:?}", WebhookSecrets::parse("hunter2, b").unwrap()), "WebhookSecrets(2 secrets)");
}

#[test]
fn the_window_is_300_seconds_each_way_and_includes_its_ends() {
    let secrets = WebhookSecrets::parse("s").unwrap();
    let now = published().seconds();
    for (offset, accepted) in [(-301, false), (-300, true), (300, true), (301, false)] {
        let answer = verify_webhook(&header("s", now + offset, b"{}"), b"{}", &secrets, published());
        match answer {
            Ok(signed) => assert!(accepted && signed.seconds() == now + offset, "{offset}"),
            Err(error) => {
                assert!(
                    !accepted && matches!(error, WebhookError::OutsideWindow { .. }),
                    "{offset}: {error}"
                );
            }
        }
    }
}

#[test]
fn a_broken_header_says_what_is_wrong_with_it() {
    let secrets = WebhookSecrets::parse("s").unwrap();
    let hex = "0".repeat(64);
    for (header, said) in [
        (String::new(), "no timestamp"),
        ("timestamp=1".to_owned(), "no signature"),
        (format!("signature={hex}"), "no timestamp"),
        (format!("timestamp=x,signature={hex}"), "whole seconds"),
        (format!("timestamp=-1,signature={hex}"), "whole seconds"),
        (format!("timestamp=,signature={hex}"), "whole seconds"),
        ("timestamp=1,signature=00".to_owned(), "64 hex"),
        (format!("timestamp=1,timestamp=1,signature={hex}"), "`timestamp` stands twice"),
        (format!("timestamp=1,signature={hex},signature={hex}"), "`signature` stands twice"),
    ] {
        let error = verify_webhook(&header, b"", &secrets, published()).unwrap_err();
        assert!(matches!(&error, WebhookError::Header(why) if why.contains(said)), "{header}: {error}");
    }
}

proptest! {
    #[test]
    fn arbitrary_headers_never_panic_nor_pass(header in ".{0,120}", body in prop::collection::vec(any::<u8>(), 0..40)) {
        let secrets = WebhookSecrets::parse("s").unwrap();
        prop_assert!(verify_webhook(&header, &body, &secrets, published()).is_err());
    }

    #[test]
    fn no_changed_bit_of_the_body_passes(body in prop::collection::vec(any::<u8>(), 1..80), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let secrets = WebhookSecrets::parse("other,s").unwrap();
        let header = header("s", published().seconds(), &body);
        prop_assert!(verify_webhook(&header, &body, &secrets, published()).is_ok());

        let mut changed = body.clone();
        changed[at.index(body.len())] ^= 1 << bit;
        prop_assert_eq!(verify_webhook(&header, &changed, &secrets, published()), Err(WebhookError::Signature));
    }
}
