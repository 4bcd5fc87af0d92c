//! A private key: made by `keygen`, used by `sign` and `emit`.

use std::fmt;

use launchgate_statement::{Envelope, Signature, pae};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair};
use spki::AlgorithmIdentifierRef;
use spki::der::{Reader, SliceReader, pem};

use crate::public_key::{Family, info_pem};
use crate::{PublicKey, Scheme, TrustError};

/// A private key in memory. Its `Debug` shows the scheme only.
pub struct SigningKey {
    scheme: Scheme,
    pair: Pair,
    pkcs8: Vec<u8>,
    public_pem: String,
    public: PublicKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// Everything of an Ed25519 PKCS#8 v1 before its 32 bytes of seed. `ring` itself writes v2 in a form that
/// OpenSSL and Python refuse. Source: RFC 8410 §7.
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

impl SigningKey {
    /// A new key. RSA keys are imported, not made (`ring` makes none).
    pub fn generate(scheme: Scheme) -> Result<Self, TrustError> {
        let random = SystemRandom::new();
        let unmade = |_| TrustError::Signing("no randomness for a new key".to_owned());
        let pkcs8 = match scheme {
            Scheme::Ed25519 => {
                let mut seed = [0; 32];
                random.fill(&mut seed).map_err(unmade)?;
                [&ED25519_PKCS8[..], &seed].concat()
            }
            Scheme::EcdsaP256 | Scheme::EcdsaP384 => {
                EcdsaKeyPair::generate_pkcs8(ecdsa(scheme), &random).map_err(unmade)?.as_ref().to_vec()
            }
            Scheme::RsaPssSha256 | Scheme::RsaPkcs1v15Sha256 => {
                return Err(TrustError::UnsupportedKey("RSA keys are imported, not made here".to_owned()));
            }
        };
        Self::from_pkcs8(pkcs8, Some(scheme))
    }

    /// From a PKCS#8 PEM. `scheme` may always be given and must be for RSA.
    pub fn from_pem(pem: &str, scheme: Option<Scheme>) -> Result<Self, TrustError> {
        let (label, der) = pem::decode_vec(pem.trim().as_bytes())
            .map_err(|error| TrustError::NotPrivateKeyPem(error.to_string()))?;
        if label != "PRIVATE KEY" {
            return Err(TrustError::NotPrivateKeyPem(format!(
                "found `{label}`; `openssl pkcs8 -topk8 -nocrypt` converts it"
            )));
        }
        Self::from_pkcs8(der, scheme)
    }

    fn from_pkcs8(pkcs8: Vec<u8>, scheme: Option<Scheme>) -> Result<Self, TrustError> {
        let family = family_of(&pkcs8)?;
        let scheme = family.scheme(scheme)?;
        let rejected = |error: ring::error::KeyRejected| TrustError::NotPrivateKeyPem(error.to_string());
        let pair = match family {
            Family::Ed25519 => {
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).map_err(rejected)?)
            }
            Family::P256 | Family::P384 => Pair::Ecdsa(
                EcdsaKeyPair::from_pkcs8(ecdsa(scheme), &pkcs8, &SystemRandom::new()).map_err(rejected)?,
            ),
            Family::Rsa => Pair::Rsa(RsaKeyPair::from_pkcs8(&pkcs8).map_err(rejected)?),
        };
        let public = match &pair {
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
            Pair::Ecdsa(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        };
        let public_pem = info_pem(family, public)?;
        let public = PublicKey::from_pem(&public_pem, Some(scheme))?;
        Ok(Self { scheme, pair, pkcs8, public_pem, public })
    }

    /// The PKCS#8 PEM.
    pub fn to_pem(&self) -> String {
        pem::encode_string("PRIVATE KEY", pem::LineEnding::LF, &self.pkcs8)
            .expect("the label is fixed and the key far below any limit of PEM")
    }

    /// The public half as PEM `SubjectPublicKeyInfo`.
    pub fn public_pem(&self) -> String {
        self.public_pem.clone()
    }

    /// How it signs.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The public half.
    pub fn public_key(&self) -> Result<PublicKey, TrustError> {
        Ok(self.public.clone())
    }

    /// A signature over `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TrustError> {
        let random = SystemRandom::new();
        let failed = |_| TrustError::Signing(format!("{} could not sign", self.scheme.as_str()));
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Ecdsa(pair) => {
                pair.sign(&random, message).map(|made| made.as_ref().to_vec()).map_err(failed)
            }
            Pair::Rsa(pair) => {
                let padding: &'static dyn signature::RsaEncoding = match self.scheme {
                    Scheme::RsaPssSha256 => &signature::RSA_PSS_SHA256,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut made = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut made).map_err(failed)?;
                Ok(made)
            }
        }
    }

    /// A DSSE envelope around `payload` with this key's signature over the PAE; keyid is the
    /// fingerprint, a hint.
    pub fn envelope(&self, payload_type: &str, payload: &[u8]) -> Result<Envelope, TrustError> {
        let sig = self.sign(&pae(payload_type, payload))?;
        let mut envelope = Envelope::unsigned(payload_type, payload.to_vec());
        envelope.signatures.push(Signature { keyid: Some(self.public.fingerprint().to_hex()), sig });
        Ok(envelope)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.scheme.as_str())
    }
}

fn ecdsa(scheme: Scheme) -> &'static EcdsaSigningAlgorithm {
    if scheme == Scheme::EcdsaP384 {
        &signature::ECDSA_P384_SHA384_ASN1_SIGNING
    } else {
        &signature::ECDSA_P256_SHA256_ASN1_SIGNING
    }
}

/// Which kind of key a PKCS#8 `PrivateKeyInfo` holds.
fn family_of(pkcs8: &[u8]) -> Result<Family, TrustError> {
    let unreadable = |error: spki::der::Error| TrustError::NotPrivateKeyPem(error.to_string());
    let mut reader = SliceReader::new(pkcs8).map_err(unreadable)?;
    let algorithm = reader.sequence(|inner| {
        let _version: u8 = inner.decode()?;
        let algorithm: AlgorithmIdentifierRef<'_> = inner.decode()?;
        inner.read_slice(inner.remaining_len())?;
        Ok(algorithm)
    });
    Family::of(&algorithm.map_err(unreadable)?)
}
