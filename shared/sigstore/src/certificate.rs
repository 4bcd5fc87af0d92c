//! What a verified Fulcio certificate says.

use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use sigstore_verify::types::{VerificationMaterial, bundle::VerificationMaterialContent};
use x509_cert::{
    Certificate as X509,
    der::{Decode as _, asn1::Utf8StringRef, oid::ObjectIdentifier},
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use crate::BundleError;

/// The arc of Fulcio's extensions. Source: sigstore/fulcio, `docs/oid-info.md`.
const FULCIO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1");

/// A certificate whose key signed an envelope. Made only by `TrustedRoot::verify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub(crate) claims: CertificateClaims,
    pub(crate) signed: i64,
}

impl Certificate {
    /// What it says.
    pub fn claims(&self) -> &CertificateClaims {
        &self.claims
    }

    /// The earliest proven time of signing, seconds since 1970.
    pub fn signed(&self) -> i64 {
        self.signed
    }
}

/// What a certificate says, whoever made it.
///
/// Read more strictly than `sigstore-verify` 0.15.1 reads it, which takes the first of several names, the last
/// of several extensions, none for one that it cannot read, and the issuer from either of two extensions: here
/// each of these is an error, and the issuer is the current extension's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateClaims {
    /// Who Fulcio asked: the OIDC issuer (`.1.8`).
    pub issuer: String,
    /// Its one name (SAN).
    pub identity: String,
    /// Whether that name is a URI; else it is an e-mail address.
    pub identity_is_uri: bool,
    /// `.1.11`: where it ran.
    pub runner_environment: Option<String>,
    /// `.1.13`: the commit.
    pub source_repository_digest: Option<String>,
    /// `.1.20`: what started it.
    pub build_trigger: Option<String>,
    /// `.1.21`: the page of the run.
    pub run_invocation_uri: Option<String>,
}

impl CertificateClaims {
    /// What the certificate in a bundle's `verificationMaterial` says. Nothing of it is verified: for showing
    /// only.
    pub fn unverified(material: &Value) -> Result<Self, BundleError> {
        let refuse = |why: String| BundleError::Material(why);
        let material =
            VerificationMaterial::deserialize(material).map_err(|error| refuse(error.to_string()))?;
        match &material.content {
            VerificationMaterialContent::Certificate(certificate) => {
                Self::read(certificate.raw_bytes.as_bytes())
            }
            _ => Err(refuse("expected one certificate".to_owned())),
        }
    }

    pub(crate) fn read(der: &[u8]) -> Result<Self, BundleError> {
        let refuse = |why: &str| BundleError::Certificate(why.to_owned());
        let certificate = X509::from_der(der).map_err(|error| refuse(&error.to_string()))?;
        let extensions = certificate.tbs_certificate.extensions.unwrap_or_default();
        for (index, extension) in extensions.iter().enumerate() {
            if extensions[..index].iter().any(|earlier| earlier.extn_id == extension.extn_id) {
                return Err(refuse(&format!("the extension {} stands twice", extension.extn_id)));
            }
        }
        let (identity, identity_is_uri) = name(&extensions)?;
        let fulcio = |number: u32| -> Result<Option<String>, BundleError> {
            let is_it =
                |oid: &ObjectIdentifier| oid.parent() == Some(FULCIO) && oid.arcs().last() == Some(number);
            let Some(extension) = extensions.iter().find(|extension| is_it(&extension.extn_id)) else {
                return Ok(None);
            };
            let text = Utf8StringRef::from_der(extension.extn_value.as_bytes());
            let text = text.map_err(|_| refuse(&format!("the extension {FULCIO}.{number} is no text")))?;
            Ok(Some(text.as_str().to_owned()))
        };
        Ok(Self {
            issuer: fulcio(8)?.ok_or_else(|| refuse("it does not name its issuer"))?,
            identity,
            identity_is_uri,
            runner_environment: fulcio(11)?,
            source_repository_digest: fulcio(13)?,
            build_trigger: fulcio(20)?,
            run_invocation_uri: fulcio(21)?,
        })
    }
}

/// The one name.
fn name(extensions: &[x509_cert::ext::Extension]) -> Result<(String, bool), BundleError> {
    const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
    let refuse = |why: &str| BundleError::Certificate(why.to_owned());
    let extension = extensions.iter().find(|extension| extension.extn_id == SUBJECT_ALT_NAME);
    let extension = extension.ok_or_else(|| refuse("it names nobody"))?;
    let names = SubjectAltName::from_der(extension.extn_value.as_bytes());
    let names = names.map_err(|_| refuse("its name cannot be read"))?;
    match &*names.0 {
        [GeneralName::UniformResourceIdentifier(uri)] => Ok((uri.as_str().to_owned(), true)),
        [GeneralName::Rfc822Name(email)] => Ok((email.as_str().to_owned(), false)),
        _ => Err(refuse("expected one name, a URI or an e-mail address")),
    }
}
