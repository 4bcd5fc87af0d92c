//! What mends a refusal of Cloud KMS: the `gcloud` line, made of fixed words and the key's own name.

use crate::{Account, FixContext, iam_fix};

use super::KeyVersion;

/// A role that an account may be told to have on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KmsRole {
    /// Signs, and sees the public key: what `emit` and `sign` need.
    SignerVerifier,
    /// Sees the public key: what `keygen` needs.
    PublicKeyViewer,
}

impl KmsRole {
    fn name(self) -> &'static str {
        match self {
            Self::SignerVerifier => "roles/cloudkms.signerVerifier",
            Self::PublicKeyViewer => "roles/cloudkms.publicKeyViewer",
        }
    }
}

/// For the text of a refusal; `None` where nothing is known to help.
pub(super) fn fix(
    status: u16,
    text: &str,
    version: &KeyVersion,
    role: KmsRole,
    account: &Account,
) -> Option<String> {
    let context = FixContext { project: version.project(), account };
    let versions =
        |verb: &str| format!("gcloud kms keys versions {verb} {} {}", version.number(), version.place());
    let line = match status {
        // The API's being off and a service account's being out of reach come with 403 too.
        403 if !text.contains("cloudkms.") || text.contains("has not been used in project") => {
            iam_fix(text, context).unwrap_or_else(|| grant(version, role, account))
        }
        403 => grant(version, role, account),
        404 => {
            return Some(format!(
                "Is the name right? `gcloud kms keys versions list {}` lists what there is.",
                version.place()
            ));
        }
        400 if text.contains("current state is: DISABLED") => versions("enable"),
        400 if text.contains("current state is: DESTROY_SCHEDULED") => {
            format!("{}, then {}", versions("restore"), versions("enable"))
        }
        400 if text.contains("current state is: PENDING") => {
            return Some("It is not ready yet; try again in a minute.".to_owned());
        }
        400 if text.contains("current state is:") => {
            return Some(format!(
                "It does not come back: make another version (gcloud kms keys versions create {}), pin its public \
                 key and name it instead.",
                version.place()
            ));
        }
        _ => return None,
    };
    Some(format!("Fix: {line}"))
}

fn grant(version: &KeyVersion, role: KmsRole, account: &Account) -> String {
    format!(
        "gcloud kms keys add-iam-policy-binding {} {} --member={} --role={}",
        version.key(),
        version.ring_place(),
        account.member(),
        role.name()
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NAME: &str =
        "projects/acme-ml/locations/europe-west1/keyRings/launchgate/cryptoKeys/release/cryptoKeyVersions/3";
    const PLACE: &str = "--keyring=launchgate --location=europe-west1 --project=acme-ml";

    fn fixed(status: u16, text: &str, role: KmsRole) -> String {
        let account = Account::service_account("emit@acme-ml.iam.gserviceaccount.com");
        fix(status, text, &NAME.parse().unwrap(), role, &account).unwrap()
    }

    #[test]
    fn a_permission_is_granted_on_the_key_with_the_role_that_the_command_needs() {
        let denied = "Permission 'cloudkms.cryptoKeyVersions.viewPublicKey' denied on resource 'projects/acme-ml/…' (or it may not exist).";
        for (role, name) in [
            (KmsRole::SignerVerifier, "roles/cloudkms.signerVerifier"),
            (KmsRole::PublicKeyViewer, "roles/cloudkms.publicKeyViewer"),
        ] {
            assert_eq!(
                fixed(403, denied, role),
                format!(
                    "Fix: gcloud kms keys add-iam-policy-binding release {PLACE} \
                     --member=serviceAccount:emit@acme-ml.iam.gserviceaccount.com --role={name}"
                )
            );
        }
    }

    #[test]
    fn a_disabled_api_is_enabled() {
        let text = "Cloud Key Management Service (KMS) API has not been used in project 98765 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/cloudkms.googleapis.com/overview?project=98765 then retry.";
        assert_eq!(
            fixed(403, text, KmsRole::SignerVerifier),
            "Fix: gcloud services enable cloudkms.googleapis.com --project=acme-ml"
        );
    }

    #[test]
    fn a_version_is_brought_back_where_it_can_be() {
        let of = |state: &str| {
            fixed(400, &format!("{NAME} is not enabled, current state is: {state}."), KmsRole::SignerVerifier)
        };
        assert_eq!(of("DISABLED"), format!("Fix: gcloud kms keys versions enable 3 --key=release {PLACE}"));
        assert!(of("DESTROY_SCHEDULED").contains("versions restore 3 --key=release"));
        assert!(of("PENDING_GENERATION").contains("in a minute"));
        assert!(of("DESTROYED").contains("does not come back"));
    }
}
