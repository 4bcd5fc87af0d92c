//! Buildkite's webhook signature: HMAC-SHA256 over `timestamp.rawbody`.

use launchgate_outcome::Reason;
use launchgate_statement::{Sha256, Timestamp};
use ring::hmac;

use crate::TrustError;

/// How far the time of dispatch may be from the time of arrival: 300 s, so that a captured webhook is
/// worth little.
const WINDOW_MICROS: u64 = 300_000_000;

/// The secrets in force; several during rotation, none empty.
#[derive(Clone)]
pub struct WebhookSecrets(Vec<hmac::Key>);

impl WebhookSecrets {
    /// From a comma-separated list, as an environment variable carries it.
    pub fn parse(list: &str) -> Result<Self, TrustError> {
        let keys = list.split(',').map(str::trim);
        let keys: Vec<_> = keys
            .map(|secret| (!secret.is_empty()).then(|| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
            .collect::<Option<_>>()
            .ok_or(TrustError::EmptySecret)?;
        Ok(Self(keys))
    }
}

impl std::fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebhookSecrets({} secrets)", self.0.len())
    }
}

/// Why a webhook is not Buildkite's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum WebhookError {
    #[error("X-Buildkite-Signature is not `timestamp=SECONDS,signature=64 HEX`: {0}")]
    Header(String),
    #[error("the signature was made at {signed}, more than 300 s from {at}")]
    OutsideWindow { signed: Timestamp, at: Timestamp },
    #[error("no secret in force made this signature")]
    Signature,
}

/// Verifies `X-Buildkite-Signature` over the raw body; answers when it was signed.
/// Constant time; the window is ± 300 s around `at`. Source: buildkite.com/docs/apis/webhooks.
pub fn verify_webhook(
    header: &str,
    body: &[u8],
    secrets: &WebhookSecrets,
    at: Timestamp,
) -> Result<Timestamp, WebhookError> {
    let Header { timestamp, seconds, signature } = Header::parse(header)?;
    let mut message = Vec::with_capacity(timestamp.len() + 1 + body.len());
    message.extend_from_slice(timestamp.as_bytes());
    message.push(b'.');
    message.extend_from_slice(body);
    // Every secret is tried, so that time does not tell which one is in force.
    let made = secrets.0.iter().filter(|key| hmac::verify(key, &message, &signature).is_ok()).count();
    if made == 0 {
        return Err(WebhookError::Signature);
    }
    let signed = Timestamp::from_seconds(seconds);
    if at.micros_since(signed).unsigned_abs() > WINDOW_MICROS {
        return Err(WebhookError::OutsideWindow { signed, at });
    }
    Ok(signed)
}

/// A webhook whose HMAC is verified. Made only by `verify`; what its body says is Buildkite's word.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedWebhook<'b> {
    body: &'b [u8],
    signed: Timestamp,
}

impl<'b> VerifiedWebhook<'b> {
    /// As `verify_webhook`, and keeps the body together with the proof.
    ///
    /// # Errors
    /// Why the webhook is not Buildkite's.
    pub fn verify(
        header: &str,
        body: &'b [u8],
        secrets: &WebhookSecrets,
        at: Timestamp,
    ) -> Result<Self, WebhookError> {
        verify_webhook(header, body, secrets, at).map(|signed| Self { body, signed })
    }

    /// The raw body.
    pub fn body(&self) -> &'b [u8] {
        self.body
    }

    /// When Buildkite signed it.
    pub fn signed(&self) -> Timestamp {
        self.signed
    }
}

impl WebhookError {
    /// The stable reason of a delivery that is refused for this.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Header(_) => Reason::WebhookHeader,
            Self::OutsideWindow { .. } => Reason::WebhookTime,
            Self::Signature => Reason::WebhookSignature,
        }
    }
}

/// The two parts of the header; others are Buildkite's to add.
struct Header<'a> {
    timestamp: &'a str,
    seconds: i64,
    signature: [u8; 32],
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Result<Self, WebhookError> {
        let wrong = |why: &str| WebhookError::Header(why.to_owned());
        let (mut timestamp, mut signature) = (None, None);
        for part in text.split(',') {
            let Some((name, value)) = part.trim().split_once('=') else { continue };
            let place = match name {
                "timestamp" => &mut timestamp,
                "signature" => &mut signature,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(WebhookError::Header(format!("`{name}` stands twice")));
            }
        }
        let timestamp = timestamp.ok_or_else(|| wrong("no timestamp"))?;
        let plain = timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = plain.then(|| timestamp.parse().ok()).flatten();
        let seconds = seconds.ok_or_else(|| wrong("the timestamp is not whole seconds"))?;
        let signature = signature.ok_or_else(|| wrong("no signature"))?;
        // Sha256 knows how 32 bytes are written in hex; upper case is let through, as Buildkite does not
        // say which it writes.
        let signature = Sha256::from_hex(&signature.to_ascii_lowercase());
        let signature = *signature.ok_or_else(|| wrong("the signature is not 64 hex digits"))?.as_bytes();
        Ok(Self { timestamp, seconds, signature })
    }
}
