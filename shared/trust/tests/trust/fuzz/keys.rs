//! Public keys as PEM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use launchgate_statement::Sha256;
use launchgate_trust::{PublicKey, Scheme};

use super::{Answer, edit::Recipe, run};
use crate::{der, pem, vector};

const FILES: [&str; 6] = ["ed25519", "p256", "p384", "p521", "rsa", "rsa-1024"];
const SCHEMES: [Option<Scheme>; 6] = [
    None,
    Some(Scheme::Ed25519),
    Some(Scheme::EcdsaP256),
    Some(Scheme::EcdsaP384),
    Some(Scheme::RsaPssSha256),
    Some(Scheme::RsaPkcs1v15Sha256),
];

#[test]
fn an_accepted_pem_is_one_key_however_it_is_wrapped() {
    let texts = FILES.map(|file| vector(&format!("keys/{file}.pub")).into_bytes());
    let ders = FILES.map(|file| der(&format!("keys/{file}.pub")));

    run("PEM", |recipe: &Recipe| {
        let text = if recipe.choice.is_multiple_of(2) {
            pem("PUBLIC KEY", &recipe.edited(recipe.seed(&ders)))
        } else {
            String::from_utf8_lossy(&recipe.edited(recipe.seed(&texts))).into_owned()
        };
        let given = SCHEMES[usize::from(recipe.choice / 2) % SCHEMES.len()];
        let answer = PublicKey::from_pem(&text, given);
        if let Ok(key) = &answer {
            // The bytes inside, as another reader finds them, are what the key is named by.
            // Text before the first boundary is for people (RFC 7468 §2).
            let encapsulated = text.split("-----BEGIN").nth(1).expect("an accepted PEM begins");
            let body: String = encapsulated
                .lines()
                .skip(1)
                .take_while(|line| !line.starts_with('-'))
                .map(str::trim)
                .collect();
            let inside = STANDARD.decode(body).expect("an accepted PEM holds base64");
            assert_eq!(key.fingerprint(), Sha256::of(&inside));
            assert_eq!(PublicKey::from_pem(&pem("PUBLIC KEY", &inside), given).as_ref(), Ok(key));
            assert!(given.is_none_or(|given| given == key.scheme()));
            assert_eq!(PublicKey::from_pem(&text, Some(key.scheme())).as_ref(), Ok(key));
            for length in [0, 64, 71, 103, 256] {
                assert!(!key.verifies(b"message", &vec![0x30; length]), "a made-up signature");
            }
        }
        Answer::of(&answer)
    });
}
