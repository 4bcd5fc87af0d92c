//! `launchgate keygen`: a new signing key, or one that lies in Cloud KMS, and what to write into the triggers
//! file for it.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use launchgate_google::{KeyVersion, KmsRole};
use launchgate_service::Environment;
use launchgate_trust::{Scheme, SigningKey};
use serde_json::json;

use crate::{clock, command_line::block_on, failure::Failure, output::Output, signing::kms_key};

#[derive(Debug, Args)]
#[command(after_help = "\
Writes PREFIX.key (the private key, readable by you alone) and PREFIX.pem (the public key, to be kept
beside the triggers file). Nothing is overwritten. RSA keys are not made, but imported ones work.
With --kms no key is made: the public key of that version in Cloud KMS is written to PREFIX.pem.

Examples:
  launchgate keygen --out keys/release
  launchgate keygen --out keys/release --scheme ecdsa-p256 --id release-2027
  launchgate keygen --out keys/release --kms projects/acme-ml/…/cryptoKeys/release/cryptoKeyVersions/1

Exit codes: 0 written · 2 a file is there already or cannot be written, or Cloud KMS refused · 7 no answer")]
pub(crate) struct Keygen {
    /// Where to write: PREFIX.key and PREFIX.pem
    #[arg(long, value_name = "PREFIX")]
    out: PathBuf,
    /// ed25519, ecdsa-p256 or ecdsa-p384
    #[arg(long, value_name = "SCHEME", default_value = "ed25519", value_parser = makeable)]
    scheme: Scheme,
    /// Fetch the public key of a key in Cloud KMS instead:
    /// projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N
    #[arg(long, value_name = "VERSION", conflicts_with = "scheme")]
    kms: Option<KeyVersion>,
    /// The signer's name in the triggers file; default: the last part of PREFIX
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
}

impl Keygen {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        match &self.kms {
            Some(version) => self.fetch(version, output),
            None => self.make(output),
        }
    }

    fn make(&self, output: &Output) -> Result<u8, Failure> {
        let (private, public) = (with_ending(&self.out, "key"), with_ending(&self.out, "pem"));
        if public.exists() {
            return Err(there_already(&public));
        }
        let key = SigningKey::generate(self.scheme).map_err(anyhow::Error::from)?;
        let public_pem = key.public_pem();
        let fingerprint = key.public_key().map_err(anyhow::Error::from)?.fingerprint();
        make_folder(&private)?;
        write_new(&private, &key.to_pem(), 0o600)?;
        write_new(&public, &public_pem, 0o644)?;

        let id = self.id();
        // The day it is made: the age that `lint` reports counts from it.
        let today = clock::now().to_string();
        let today = today.split('T').next().unwrap_or_default();
        if output.is_json() {
            output.json(&json!({
                "privateKey": private, "publicKey": public, "scheme": self.scheme.as_str(),
                "fingerprint": fingerprint, "signer": { "id": id, "publicKey": public, "notBefore": today },
            }))?;
        } else {
            output.say(&format!(
                "wrote {} (keep it secret: Buildkite secrets, not the repository) and {}\nfingerprint sha256:{fingerprint}\n\
                 Add this under `signers` of the triggers file, with the path relative to it:",
                private.display(),
                public.display()
            ));
            output.data(&format!(
                "  - {{ id: {id}, publicKey: {}, notBefore: {today}, pipelines: [YOUR-PIPELINE] }}",
                public.display()
            ))?;
        }
        Ok(0)
    }

    /// The private half is where nobody reads it; only the public one is written.
    fn fetch(&self, version: &KeyVersion, output: &Output) -> Result<u8, Failure> {
        let public = with_ending(&self.out, "pem");
        if public.exists() {
            return Err(there_already(&public));
        }
        let environment = Environment::of_process();
        let (_, key) = block_on(kms_key(version, KmsRole::PublicKeyViewer, &environment))?;
        make_folder(&public)?;
        write_new(&public, key.pem(), 0o644)?;

        let (id, scheme) = (self.id(), key.scheme().as_str());
        let fingerprint = key.public_key().fingerprint();
        if output.is_json() {
            output.json(&json!({
                "publicKey": public, "scheme": scheme, "fingerprint": fingerprint, "kms": version.to_string(),
                "signer": { "id": id, "publicKey": public, "scheme": scheme },
            }))?;
        } else {
            output.say(&format!(
                "wrote {}, the public key of {version}\nfingerprint sha256:{fingerprint}\n\
                 Add this under `signers` of the triggers file, with the path relative to it:",
                public.display()
            ));
            output.data(&format!(
                "  - {{ id: {id}, publicKey: {}, scheme: {scheme}, pipelines: [YOUR-PIPELINE] }}",
                public.display()
            ))?;
        }
        Ok(0)
    }

    fn id(&self) -> String {
        let last = self.out.file_name().map(|name| name.to_string_lossy().into_owned());
        self.id.clone().or(last).unwrap_or_else(|| "release".to_owned())
    }
}

fn make_folder(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::usage(format!("cannot make the folder {}: {error}", folder.display())))
}

fn makeable(text: &str) -> Result<Scheme, String> {
    match crate::private_key::scheme(text)? {
        Scheme::RsaPssSha256 | Scheme::RsaPkcs1v15Sha256 => {
            Err("RSA keys are not made here; use ed25519, ecdsa-p256 or ecdsa-p384, or import an RSA key"
                .to_owned())
        }
        scheme => Ok(scheme),
    }
}

fn with_ending(prefix: &Path, ending: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

/// Creates a file that must not exist; a private key is never readable by others, not even for a moment.
pub(crate) fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => there_already(path),
        _ => Failure::usage(format!("cannot write {}: {error}", path.display())),
    })
}

fn there_already(path: &Path) -> Failure {
    Failure::usage(format!(
        "{} is there already and is not overwritten; choose another name or remove it",
        path.display()
    ))
}
