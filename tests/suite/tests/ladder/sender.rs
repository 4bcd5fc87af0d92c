//! Who delivers.

use launchgate_outcome::Reason as R;
use launchgate_standin::{PushToken, SigningKey};

use super::{
    case::{Case, turned_away},
    hold,
};

pub(super) fn cases() -> Vec<Case> {
    let hour = 3600;
    let other = "projects/acme-ml/subscriptions/another";
    vec![
        turned_away(R::TokenMissing, "no token").no_token(),
        turned_away(R::TokenMalformed, "no algorithm").sender(|token| token.header("alg", "none")),
        turned_away(R::TokenSignature, "a forger's key")
            .sender(|token| token.forged_by(SigningKey::Stranger)),
        turned_away(R::TokenIssuer, "another issuer")
            .sender(|token| token.claim("iss", "https://example.com")),
        turned_away(R::TokenAudience, "another audience")
            .sender(|token| token.claim("aud", "https://example.com")),
        turned_away(R::TokenExpired, "an old token").sender(move |token| token.shifted(-2 * hour)),
        turned_away(R::TokenEmail, "another account").sender(|token| token.claim("email", "x@example.com")),
        turned_away(R::TokenEmail, "an unverified account")
            .sender(|token| token.claim("email_verified", false)),
        turned_away(R::SignatureStrippedByCloudRun, "a stripped token").sender(PushToken::stripped),
        turned_away(R::WrongSubscription, "another subscription").push(move |push| push.subscription(other)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_is_not_proven_in_one_thing_is_turned_away() {
    hold(cases()).await;
}
