//! From an envelope and the material beside it to a certificate that signed it.

use serde::Deserialize as _;
use serde_json::Value;
use sigstore_verify::{
    VerificationPolicy,
    types::{
        Bundle, DsseEnvelope, DsseSignature, KeyId, MediaType, PayloadBytes, Sha256Hash, SignatureBytes,
        SignatureContent, VerificationMaterial,
    },
};

use crate::{BundleError, Certificate, CertificateClaims, TrustedRoot};

/// Log entries, and timestamps, that a bundle may have. Real ones have one of each; every one costs a
/// verification that a stranger asks for.
const MOST: usize = 8;

/// An envelope with one signature, read by the caller, and the `verificationMaterial` beside it. The bundle is
/// put together from these and not from its text, so that nothing is read twice and differently.
#[derive(Clone, Copy, Debug)]
pub struct BundledEnvelope<'a> {
    /// The DSSE payload type.
    pub payload_type: &'a str,
    /// The decoded payload.
    pub payload: &'a [u8],
    /// The decoded signature.
    pub signature: &'a [u8],
    /// The bundle's `verificationMaterial`, from JSON that named each member once.
    pub material: &'a Value,
}

impl TrustedRoot {
    /// Verifies a bundle v0.3 and gives the certificate whose key signed the envelope.
    ///
    /// Checked, all against this root: the certificate's chain, its use (code signing), its validity at every
    /// proven time of signing, its certificate log (SCT); each log entry's inclusion proof, signed checkpoint
    /// and, where it has one, its signed entry timestamp; each RFC 3161 timestamp; the signature over the PAE;
    /// that each log entry is about this payload, signature and certificate.
    ///
    /// Completed here, since `sigstore-verify` 0.15.1 asks for less: every log entry needs an inclusion proof
    /// (there, one of them suffices); at most eight entries and timestamps; the certificate is read strictly
    /// (see `CertificateClaims`). Unlike the rest of this crate that verifier reads the clock, to refuse log times
    /// that lie ahead of it.
    ///
    /// # Errors
    /// What fell first, see `BundleError`. A payload without a subject that has a sha256 cannot be verified:
    /// the verifier binds a bundle to an artifact.
    pub fn verify(&self, envelope: BundledEnvelope<'_>) -> Result<Certificate, BundleError> {
        let material = VerificationMaterial::deserialize(envelope.material)
            .map_err(|error| BundleError::Material(error.to_string()))?;
        let entries = &material.tlog_entries;
        let timestamps = &material.timestamp_verification_data.rfc3161_timestamps;
        if entries.len() > MOST || timestamps.len() > MOST {
            let message = format!("expected at most {MOST} log entries and as many timestamps");
            return Err(BundleError::Material(message));
        }
        if entries.iter().any(|entry| entry.inclusion_proof.is_none()) {
            return Err(BundleError::Log("a log entry has no inclusion proof".to_owned()));
        }
        let artifact = subject_digest(envelope.payload)?;
        let signature = DsseSignature::new(SignatureBytes::from_bytes(envelope.signature), KeyId::default());
        let payload = PayloadBytes::from_bytes(envelope.payload);
        let content = DsseEnvelope::new(envelope.payload_type, payload, signature);
        let bundle = Bundle::new(MediaType::Bundle0_3, material, SignatureContent::DsseEnvelope(content));

        let verified = self.verifier().verify(artifact, &bundle, &VerificationPolicy::any_identity())?;
        let is_whole = verified.certificate_verified() && verified.sct_verified() && verified.tlog_verified();
        let times = verified.verified_timestamps();
        let (Some(signed), true) = (times.iter().min(), is_whole) else {
            return Err(BundleError::Material("not every check was made".to_owned()));
        };
        let certificate = bundle
            .signing_certificate()
            .ok_or_else(|| BundleError::Material("the bundle has no certificate".to_owned()))?;
        Ok(Certificate {
            claims: CertificateClaims::read(certificate.as_bytes())?,
            signed: signed.as_second(),
        })
    }
}

/// The digest of one subject, which the verifier wants to find among the statement's.
fn subject_digest(payload: &[u8]) -> Result<Sha256Hash, BundleError> {
    let refuse = || BundleError::Material("the payload has no subject with a sha256".to_owned());
    let statement: Value = serde_json::from_slice(payload).map_err(|_| refuse())?;
    let subjects = statement.get("subject").and_then(Value::as_array).ok_or_else(refuse)?;
    let mut digests = subjects.iter().filter_map(|subject| subject.get("digest")?.get("sha256")?.as_str());
    digests.find_map(|hex| Sha256Hash::from_hex(hex).ok()).ok_or_else(refuse)
}
