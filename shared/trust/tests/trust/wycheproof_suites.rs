//! Project Wycheproof: signatures and keys made to trip verifiers, through `PublicKey`.
//!
//! No case that must fail may verify, a valid one may be refused only for a reason that stands here, and a
//! reason that no longer applies fails as well.

use std::path::PathBuf;

use launchgate_trust::{PublicKey, Scheme, TrustError};
use wycheproof::{HashFunction, Mgf, TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use crate::suite::Suite;

/// One encoding less is one forgery less.
const MISSING_NULL: &str =
    "no NULL in the padding's AlgorithmIdentifier, where RFC 8017 (B.1) asks for one with PKCS#1 v1.5";

/// What `rsa-pss-sha256` means is said by the scheme, never by the signature.
const OTHER_PSS: &str = "made with other parameters than `rsa-pss-sha256` means \
     (SHA-256, MGF1 with SHA-256, salt of 32 bytes)";

/// Two spellings for one key would be two signers of a threshold.
const PSS_KEY: &str =
    "the key says id-RSASSA-PSS; only rsaEncryption is loaded, so that a key has one spelling";

/// The one invalid case that verifies, and has to: its suite asks a verifier that wants salts of 0 bytes,
/// and this signature is correct with a salt of 32, which is what ours wants.
const OUR_PSS_ELSEWHERE: &str = "correct with a salt of 32 bytes, invalid only for a verifier that wants 0";
const OUR_PSS_ELSEWHERE_IS: (usize, usize, &str) = (0, 69, "s_len changed to 32");

/// One case, whatever its kind of key.
struct Case<'a> {
    id: usize,
    comment: &'a str,
    result: TestResult,
    pem: &'a str,
    message: &'a [u8],
    signature: &'a [u8],
    /// Why this one is answered otherwise than its suite says.
    otherwise: Option<&'static str>,
}

impl Suite {
    fn try_case(&mut self, scheme: Scheme, case: &Case<'_>) {
        let named = format!("tcId {} ({:?}, {:?})", case.id, case.result, case.comment);
        let key = match PublicKey::from_pem(case.pem, Some(scheme)) {
            Ok(key) => key,
            Err(TrustError::UnsupportedKey(why)) if why.contains("1.2.840.113549.1.1.10") => {
                return self.exclude(PSS_KEY);
            }
            Err(error) => return self.wrong(format!("{named}: the key is not loaded: {error}")),
        };
        let accepted = key.verifies(case.message, case.signature);
        self.compare(&named, accepted, case.result != TestResult::Invalid, case.otherwise);
    }
}

fn suite(what: &str, at_least: usize) -> Suite {
    Suite::new(format!("Wycheproof {what}"), format!("crate wycheproof {}", version()), at_least)
}

/// The version that is really compiled in.
fn version() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    let lock = std::fs::read_to_string(path).unwrap();
    let (_, after) = lock.split_once("name = \"wycheproof\"\nversion = \"").expect("a locked dependency");
    after.split('"').next().unwrap_or_default().to_owned()
}

fn ed25519() -> Suite {
    let mut suite = suite("Ed25519", 151);
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        for test in &group.tests {
            let case = Case {
                id: test.tc_id,
                comment: &test.comment,
                result: test.result,
                pem: &group.pem,
                message: &test.msg,
                signature: &test.sig,
                otherwise: None,
            };
            suite.try_case(Scheme::Ed25519, &case);
        }
    }
    suite
}

fn ecdsa(what: &str, at_least: usize, name: ecdsa::TestName, scheme: Scheme) -> Suite {
    let mut suite = suite(what, at_least);
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        for test in &group.tests {
            let case = Case {
                id: test.tc_id,
                comment: &test.comment,
                result: test.result,
                pem: &group.pem,
                message: &test.msg,
                signature: &test.sig,
                otherwise: None,
            };
            suite.try_case(scheme, &case);
        }
    }
    suite
}

fn pkcs1(bits: usize, at_least: usize, name: rsa_pkcs1_verify::TestName) -> Suite {
    let mut suite = suite(&format!("RSA PKCS#1 v1.5 {bits}, SHA-256"), at_least);
    for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
        assert_eq!((group.key_size, group.hash), (bits, HashFunction::Sha2_256));
        for test in &group.tests {
            let missing_null = test.result == TestResult::Acceptable
                && test.flags.contains(&rsa_pkcs1_verify::TestFlag::MissingNull);
            let case = Case {
                id: test.tc_id,
                comment: &test.comment,
                result: test.result,
                pem: &group.pem,
                message: &test.msg,
                signature: &test.sig,
                otherwise: missing_null.then_some(MISSING_NULL),
            };
            suite.try_case(Scheme::RsaPkcs1v15Sha256, &case);
        }
    }
    suite
}

fn pss(what: &str, at_least: usize, name: rsa_pss_verify::TestName) -> Suite {
    let mut suite = suite(&format!("RSA-PSS {what}"), at_least);
    for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
        let ours = (group.hash, group.mgf, group.mgf_hash, group.salt_size)
            == (HashFunction::Sha2_256, Mgf::Mgf1, Some(HashFunction::Sha2_256), 32);
        for test in &group.tests {
            let otherwise = match test.result {
                _ if ours => None,
                TestResult::Invalid => ((group.salt_size, test.tc_id, test.comment.as_str())
                    == OUR_PSS_ELSEWHERE_IS)
                    .then_some(OUR_PSS_ELSEWHERE),
                TestResult::Valid | TestResult::Acceptable => Some(OTHER_PSS),
            };
            let case = Case {
                id: test.tc_id,
                comment: &test.comment,
                result: test.result,
                pem: &group.pem,
                message: &test.msg,
                signature: &test.sig,
                otherwise,
            };
            suite.try_case(Scheme::RsaPssSha256, &case);
        }
    }
    suite
}

/// Every suite for a scheme of ours. The counts are those of the version that was looked at.
pub(crate) fn suites() -> Vec<Suite> {
    use ecdsa::TestName::{EcdsaSecp256r1Sha256, EcdsaSecp384r1Sha384};
    use rsa_pkcs1_verify::TestName::{Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256};
    use rsa_pss_verify::TestName as Pss;
    vec![
        ed25519(),
        ecdsa("ECDSA P-256, SHA-256, DER", 484, EcdsaSecp256r1Sha256, Scheme::EcdsaP256),
        ecdsa("ECDSA P-384, SHA-384, DER", 504, EcdsaSecp384r1Sha384, Scheme::EcdsaP384),
        pkcs1(2048, 259, Rsa2048Sha256),
        pkcs1(3072, 259, Rsa3072Sha256),
        pkcs1(4096, 258, Rsa4096Sha256),
        pkcs1(8192, 258, Rsa8192Sha256),
        pss("2048, SHA-256, salt 32", 108, Pss::RsaPss2048Sha256Mgf1SaltLen32),
        pss("3072, SHA-256, salt 32", 108, Pss::RsaPss3072Sha256Mgf1SaltLen32),
        pss("4096, SHA-256, salt 32", 108, Pss::RsaPss4096Sha256Mgf1SaltLen32),
        pss("2048, SHA-256, salt 0", 103, Pss::RsaPss2048Sha256Mgf1SaltLen0),
        pss("2048, SHA-256, MGF1 with SHA-1, salt 20", 108, Pss::RsaPss2048Sha256Mgf1Sha1_20),
        pss("2048, parameters of every kind", 150, Pss::RsaPssmisc),
        pss("2048, salt 32, key with parameters", 108, Pss::RsaPss2048Sha256Mgf1SaltLen32WithParams),
        pss("3072, salt 32, key with parameters", 108, Pss::RsaPss3072Sha256Mgf1SaltLen32WithParams),
    ]
}

#[test]
fn no_wycheproof_case_is_wrongly_accepted_and_each_refused_one_has_its_reason() {
    for suite in suites() {
        suite.holds();
    }
}
