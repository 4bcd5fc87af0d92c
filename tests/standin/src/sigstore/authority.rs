//! Fulcio: certificates for a few minutes, each written to a certificate log first.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
    SerialNumber,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Attestation, LogKey, new_key, sha256};
use crate::timestamp::rfc3339_of;

const FULCIO: [u64; 9] = [1, 3, 6, 1, 4, 1, 57264, 1, 0];

/// RFC 6962, 3.3: the list of signed certificate timestamps.
const SCT_LIST: [u64; 10] = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];

/// A certificate authority and the log that it writes to.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
    spki: Vec<u8>,
    since: i64,
    pub(super) certificate_log: LogKey,
}

impl Authority {
    pub(super) fn new(since: i64) -> Self {
        let key = new_key();
        let mut params = CertificateParams::default();
        params.distinguished_name = named("sigstore stand-in");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (instant(since), instant(since + 10 * 365 * 86_400));
        let certificate = params.self_signed(&key).expect("the parameters above make a certificate");
        let spki = key.subject_public_key_info();
        let issuer = Issuer::new(params, key);
        Self { issuer, certificate, spki, since, certificate_log: LogKey::new(since) }
    }

    pub(super) fn trusted(&self) -> Value {
        json!({
            "subject": {"organization": "stand-in", "commonName": "sigstore stand-in"},
            "uri": "https://fulcio.sigstore.example",
            "certChain": {"certificates": [{"rawBytes": STANDARD.encode(self.certificate.der())}]},
            "validFor": {"start": rfc3339_of(self.since)},
        })
    }

    /// A certificate for the key, DER. Its own log has signed it without the list of signatures, as the RFC
    /// has it; then it is issued with them.
    pub(super) fn issue(&self, key: &KeyPair, attestation: &Attestation) -> Vec<u8> {
        let mut params = leaf(attestation);
        let precertificate = self.signed(&params, key);
        if attestation.in_certificate_log {
            let list = self.timestamps(tbs(&precertificate), attestation.logged);
            params.custom_extensions.push(CustomExtension::from_oid_content(&SCT_LIST, octets(&list)));
        }
        self.signed(&params, key)
    }

    fn signed(&self, params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
        let certificate = params.signed_by(key, &self.issuer);
        certificate.expect("the parameters of a leaf make a certificate").der().to_vec()
    }

    /// RFC 6962, 3.2 and 3.3.
    fn timestamps(&self, tbs: &[u8], at: i64) -> Vec<u8> {
        let millis = u64::try_from(at * 1000).unwrap_or_default().to_be_bytes();
        let length = u32::try_from(tbs.len()).unwrap_or_default().to_be_bytes();
        let signed = [
            &[0, 0][..], // v1, certificate timestamp
            &millis,
            &[0, 1], // a precertificate
            &sha256(&self.spki),
            &length[1..],
            tbs,
            &[0, 0], // no extensions
        ];
        let signature = self.certificate_log.sign(&signed.concat());
        let timestamp = [
            &[0][..],
            &self.certificate_log.id(),
            &millis,
            &[0, 0],
            &[4, 3], // SHA-256, ECDSA
            &sized(&signature),
        ];
        sized(&sized(&timestamp.concat()))
    }
}

fn leaf(attestation: &Attestation) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from(new_serial()));
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let purpose = if attestation.code_signing {
        ExtendedKeyUsagePurpose::CodeSigning
    } else {
        ExtendedKeyUsagePurpose::ServerAuth
    };
    params.extended_key_usages = vec![purpose];
    let from = attestation.logged - 1;
    (params.not_before, params.not_after) = (instant(from), instant(from + attestation.valid));
    let uri = |name: &String| SanType::URI(name.as_str().try_into().expect("a name of the tests is ASCII"));
    params.subject_alt_names = attestation.names.iter().map(uri).collect();
    // `.1` is the issuer as bare text, as Fulcio still writes it.
    let bare = attestation.issuer.as_bytes().to_vec();
    params.custom_extensions.push(fulcio(1, bare));
    params.custom_extensions.push(fulcio(8, utf8(&attestation.issuer)));
    let rest = attestation.extensions.iter();
    params.custom_extensions.extend(rest.map(|(number, text)| fulcio(*number, utf8(text))));
    params
}

fn fulcio(number: u32, content: Vec<u8>) -> CustomExtension {
    let mut oid = FULCIO;
    oid[8] = number.into();
    CustomExtension::from_oid_content(&oid, content)
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::OrganizationName, "stand-in");
    names.push(DnType::CommonName, name);
    names
}

fn new_serial() -> Vec<u8> {
    let mut serial = [0_u8; 16];
    // A serial that repeats would not matter to any verifier.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut serial);
    serial[0] = 0x40 | (serial[0] >> 2);
    serial.to_vec()
}

fn instant(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).expect("a time of the tests is in range")
}

/// TLS presentation language: a length of two bytes before the bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a signature is short");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// DER.
fn utf8(text: &str) -> Vec<u8> {
    tagged(0x0c, text.as_bytes())
}

fn octets(bytes: &[u8]) -> Vec<u8> {
    tagged(0x04, bytes)
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => vec![short],
        Ok(short) => vec![0x81, short],
        Err(_) => {
            let long = u16::try_from(content.len()).expect("an extension is short").to_be_bytes();
            vec![0x82, long[0], long[1]]
        }
    };
    [&[tag][..], &length, content].concat()
}

/// The part of a certificate that is signed: its first member.
fn tbs(certificate: &[u8]) -> &[u8] {
    let (start, _) = content(certificate);
    let (begin, length) = content(&certificate[start..]);
    &certificate[start..start + begin + length]
}

/// Where the content of a DER value begins, and its length.
fn content(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ 0..0x80 => (2, short.into()),
        long => {
            let count = usize::from(long & 0x7f);
            let length = der[2..2 + count].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (2 + count, length)
        }
    }
}
