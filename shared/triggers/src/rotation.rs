//! When signers have to be followed by others: ends that come near, keys that have been in use for long.
//!
//! Promises: the same words in `lint`, at start and in `/readyz`; a revoked signer, which nobody waits for,
//! is not spoken of. Does not: change what counts (that is `notBefore`, `notAfter` and `revoked`, at the
//! instant of publishing); read a clock.

use launchgate_statement::Timestamp;
use launchgate_trust::{Signer, SignerId, SignerKind};

use crate::Config;

/// How long before a signer's end people are told: time for a review and a deploy.
const NOTICE: i64 = 30 * DAY;

/// How long a key is in use before people are told to make the next one, when the file does not say.
const ROTATE_AFTER: i64 = 30 * DAY;

const DAY: i64 = 86_400_000_000;

/// The dates of a signer that is not revoked, for whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerDates {
    /// Which signer.
    pub signer: SignerId,
    /// It counts until before this instant; `None` is for ever.
    pub expires: Option<Timestamp>,
    /// From this instant on its key is older than `rotateAfter`; `None` where no key is kept, or where its
    /// age is not known because the file gives no `notBefore`.
    pub rotate_after: Option<Timestamp>,
}

/// Something to do about a signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationNotice {
    /// Which signer.
    pub signer: SignerId,
    /// `key-expired`, `key-expiring` or `key-old`.
    pub code: &'static str,
    /// What is the matter.
    pub message: String,
    /// What to do.
    pub fix: &'static str,
}

impl Config {
    /// The dates of every signer that is not revoked, in the file's order.
    pub fn signer_dates(&self) -> Vec<SignerDates> {
        self.signers.iter().filter(|signer| !signer.revoked).map(|signer| self.dates(signer)).collect()
    }

    /// What has to be done about signers at `now`, in the file's order.
    pub fn rotation_notices(&self, now: Timestamp) -> Vec<RotationNotice> {
        self.signer_dates().into_iter().flat_map(|dates| notices(&dates, now)).collect()
    }

    fn dates(&self, signer: &Signer) -> SignerDates {
        let age =
            self.rotations.iter().find(|(id, _)| *id == signer.id).map_or(ROTATE_AFTER, |(_, age)| *age);
        let is_key = matches!(signer.kind, SignerKind::PublicKey(_));
        let since = signer.not_before.filter(|_| is_key);
        SignerDates {
            signer: signer.id.clone(),
            expires: signer.not_after,
            rotate_after: since.map(|since| since.plus_micros(age)),
        }
    }
}

fn notices(dates: &SignerDates, now: Timestamp) -> Vec<RotationNotice> {
    let SignerDates { signer, expires, rotate_after } = dates;
    let notice = |code, message, fix| RotationNotice { signer: signer.clone(), code, message, fix };
    let left = expires.map(|end| (end, end.micros_since(now)));
    let mut notices = Vec::new();
    match left {
        Some((end, left)) if left <= 0 => {
            let message = format!("the signer `{signer}` counts no longer since {end}");
            let fix = "add the next key beside it and sign with that, then take this one out";
            // Whatever its age, it signs nothing any more.
            return vec![notice("key-expired", message, fix)];
        }
        Some((end, left)) if left <= NOTICE => {
            let message = format!("the signer `{signer}` counts until {end}, {} days from now", left / DAY);
            let fix = "add the next key beside it and sign with that before this one ends";
            notices.push(notice("key-expiring", message, fix));
        }
        _ => {}
    }
    if let Some(due) = rotate_after.filter(|due| *due <= now) {
        let message = format!("the key of the signer `{signer}` should have been replaced by {due}");
        let fix = "make the next key with `launchgate keygen` and add it beside this one; sign with that, then give this \
                   one a `notAfter`; `rotateAfter` sets another age than 30 days";
        notices.push(notice("key-old", message, fix));
    }
    notices
}
