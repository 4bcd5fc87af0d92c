//! The key of `sign` and `emit`: one at hand, or one that stays in Cloud KMS.

use clap::Args;
use launchgate_google::{CredentialSettings, Endpoints, KeyVersion, Kms, KmsKey, KmsRole};
use launchgate_service::Environment;
use launchgate_statement::{Envelope, PAYLOAD_TYPE};
use launchgate_trust::SigningKey;

use crate::{failure::Failure, private_key::KeyArguments, remote_artifact::failed};

#[derive(Clone, Debug, Args)]
pub(crate) struct SigningArguments {
    #[command(flatten)]
    key: KeyArguments,
    /// Sign with a key that never leaves Cloud KMS:
    /// projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["key", "scheme"])]
    kms: Option<KeyVersion>,
}

/// A key that is ready to sign.
#[derive(Debug)]
pub(crate) enum Signer {
    Local(Box<SigningKey>),
    Kms(Box<(Kms, KmsKey)>),
}

impl SigningArguments {
    /// The key; one in Cloud KMS is known to be there and of an algorithm that counts.
    pub(crate) async fn load(&self, environment: &Environment) -> Result<Signer, Failure> {
        let Some(version) = &self.kms else { return Ok(Signer::Local(Box::new(self.key.load()?))) };
        let (kms, key) = kms_key(version, KmsRole::SignerVerifier, environment).await?;
        Ok(Signer::Kms(Box::new((kms, key))))
    }
}

impl Signer {
    /// An envelope with this key's signature over `payload`.
    pub(crate) async fn envelope(&self, payload: Vec<u8>) -> Result<Envelope, Failure> {
        match self {
            Self::Local(key) => Ok(key.envelope(PAYLOAD_TYPE, &payload).map_err(anyhow::Error::from)?),
            Self::Kms(both) => {
                let (kms, key) = &**both;
                kms.envelope(key, PAYLOAD_TYPE, payload).await.map_err(|error| failed(&error))
            }
        }
    }
}

/// Cloud KMS and the public half of one version.
pub(crate) async fn kms_key(
    version: &KeyVersion,
    role: KmsRole,
    environment: &Environment,
) -> Result<(Kms, KmsKey), Failure> {
    let variables = environment.variables();
    let settings = CredentialSettings::from_variables(variables);
    let kms = Endpoints::from_variables(variables)
        .and_then(|endpoints| Kms::new(endpoints, settings))
        .map_err(|error| failed(&error))?;
    let key = kms.public_key(version, role).await.map_err(|error| failed(&error))?;
    Ok((kms, key))
}
