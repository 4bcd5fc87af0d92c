#!/usr/bin/env python3
"""Tokens by PyJWT and envelopes by securesystemslib, right and wrong, each with the verdict of its own maker.

usage: peer_cases.py < QUESTION      QUESTION is {"keys": FOLDER}, with rsa.pem and rsa-other.pem in the folder

Prints one JSON object: for each suite its version, what verification needs to know, and its cases
`{name, text, theirs, otherwise}`: `theirs` is whether the library that made the case accepts it where it is
asked for the same, `otherwise` why another answer than that is right here (null: none is).
"""
import base64
import hashlib
import json
import sys
import time
import warnings
from pathlib import Path

import jwt
import securesystemslib
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from jwt.algorithms import HMACAlgorithm, RSAAlgorithm
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey

NOW = int(time.time())
PAYLOAD_TYPE = "application/vnd.in-toto+json"

# Why an answer here is another than the library's.
OWN_KEY = "the token brings, or names the place of, a key of its own; PyJWT ignores it, here such a token is refused"
TYP = "another `typ` than JWT; PyJWT does not look at it"
ONE_AUDIENCE = "a list of audiences; one token opens one door here"
WHOLE_SECONDS = "a time that is not whole seconds as a number"
NO_TIMES = "without `iat` or `exp` a token never ends; PyJWT asks for neither unless told"
LIFETIME = "a longer life than Buildkite grants, or published too long after it was issued"
TYPE = "signed, but the payload type is not that of an in-toto statement"
KEYID = "`keyid` is a hint that decides nothing (DSSE protocol); the library looks keys up by it"


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class AnyKey(HMACAlgorithm):
    """HMAC with whatever is given: PyJWT itself refuses a public key as a secret, a forger does not."""

    def prepare_key(self, key):
        return key


def with_any_secret(claims, secret, headers):
    jws = jwt.PyJWS()
    jws.unregister_algorithm("HS256")
    jws.register_algorithm("HS256", AnyKey(AnyKey.SHA256))
    return jws.encode(json.dumps(claims).encode(), secret, "HS256", headers)


class Issuer:
    """Two RSA keys under names, their key set, and PyJWT as verifier."""

    def __init__(self, folder):
        self.keys = {kid: load_pem_private_key((folder / name).read_bytes(), None)
                     for kid, name in (("k-1", "rsa.pem"), ("k-2", "rsa-other.pem"))}
        self.public = {kid: key.public_key() for kid, key in self.keys.items()}

    def jwks(self):
        def jwk(kid, key):
            numbers = RSAAlgorithm.to_jwk(key, as_dict=True)
            return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": numbers["n"], "e": numbers["e"]}
        return {"keys": [jwk(kid, key) for kid, key in self.public.items()]}

    def pem(self, kid):
        return self.public[kid].public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def token(self, claims, headers=None, kid="k-1", signed_by=None, algorithm="RS256", key=None):
        headers = {"kid": kid, **(headers or {})}
        headers = {name: value for name, value in headers.items() if name == "typ" or value is not None}
        key = key or self.keys[signed_by or kid]
        # As PyJWS, which does not look at the claims: some of these are wrong on purpose.
        return jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm, headers)

    def verdict(self, token, issuer, audience, more):
        """PyJWT's own answer, the key looked up by `kid` and the algorithm pinned."""
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            claims = jwt.decode(token, self.public[kid], algorithms=["RS256"], issuer=issuer, audience=audience,
                                leeway=60)
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            return False
        return all(claims.get(name) == value for name, value in more.items())


def without(claims, name):
    return {other: value for other, value in claims.items() if other != name}


def token_cases(issuer, claims):
    """What can be wrong with a token whatever it says: `(name, token, otherwise)`."""
    good = issuer.token(claims)
    head, body, signature = good.split(".")
    own_jwk = RSAAlgorithm.to_jwk(issuer.public["k-2"], as_dict=True)
    elliptic, edwards = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    der = base64.b64encode(issuer.public["k-2"].public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    foreign = {"kid": "k-1"}
    modulus = issuer.jwks()["keys"][0]["n"].encode()
    yield "right", good, None
    yield "right, by the second key", issuer.token(claims, kid="k-2"), None
    yield "right, without typ", issuer.token(claims, {"typ": None}), None
    yield "right, with a claim nobody knows", issuer.token({**claims, "agent_id": "a"}), None
    yield "alg none", jwt.PyJWS().encode(json.dumps(claims).encode(), None, "none", foreign), None
    head_none = jwt.PyJWS().encode(b"", None, "none", foreign).split(".")[0]
    yield "alg none, signature kept", f"{head_none}.{body}.{signature}", None
    for name, secret in (("the public key as PEM", issuer.pem("k-1")), ("the modulus", modulus),
                         ("its JSON", json.dumps(issuer.jwks()).encode()), ("an empty secret", b"")):
        yield f"HS256 with {name}", with_any_secret(claims, secret, foreign), None
    for algorithm in ("RS384", "RS512", "PS256", "PS384", "PS512"):
        yield algorithm, issuer.token(claims, algorithm=algorithm), None
    yield "ES256", issuer.token(claims, algorithm="ES256", key=elliptic), None
    yield "EdDSA", issuer.token(claims, algorithm="EdDSA", key=edwards), None
    for name, headers, otherwise in (
        ("crit of something unknown", {"crit": ["exp"], "exp": NOW}, None),
        ("crit that is empty", {"crit": []}, None),
        ("b64 false", {"b64": False, "crit": ["b64"]}, None),
        ("jku", {"jku": "https://example.com/keys"}, OWN_KEY),
        ("x5u", {"x5u": "https://example.com/chain"}, OWN_KEY),
        ("x5c", {"x5c": [der]}, OWN_KEY),
        ("jwk", {"jwk": own_jwk}, OWN_KEY),
        ("typ of an access token", {"typ": "at+jwt"}, TYP),
        ("typ JOSE", {"typ": "JOSE"}, TYP),
        ("no kid", {"kid": None}, None),
        ("an empty kid", {"kid": ""}, None),
        ("an unknown kid", {"kid": "k-9"}, None),
        ("the other key's kid", {"kid": "k-2"}, None),
    ):
        yield name, issuer.token(claims, headers, signed_by="k-1"), otherwise
    yield "jwk of the signer's own, by its own key", issuer.token(claims, {"jwk": own_jwk}, signed_by="k-2"), None
    yield "a foreign signature", issuer.token(claims, signed_by="k-2"), None
    other = issuer.token({**claims, "sub": "another"})
    yield "the signature of another token", ".".join([*other.split(".")[:2], signature]), None
    yield "the claims of another token", ".".join([head, other.split(".")[1], signature]), None
    yield "no signature", f"{head}.{body}.", None
    yield "two parts", f"{head}.{body}", None
    yield "four parts", f"{good}.{signature}", None
    yield "detached", f"{head}..{signature}", None
    yield "padded", good + "=", None
    yield "a line break after it", good + "\n", None
    yield "a signature cut short", good[:-4], None
    yield "claims that are a list", issuer.token([claims]), None
    key = issuer.keys["k-1"]
    yield "claims that are no JSON", jwt.PyJWS().encode(b"claims", key, "RS256", foreign), None
    yield "a token within a token", jwt.PyJWS().encode(good.encode(), key, "RS256", {**foreign, "cty": "JWT"}), None


def claim_cases(issuer, claims):
    """What a token may say wrongly whoever made it."""
    def said(name, value):
        return issuer.token({**claims, name: value})
    yield "another issuer", said("iss", "https://example.com"), None
    yield "the issuer with a slash", said("iss", claims["iss"] + "/"), None
    yield "no issuer", issuer.token(without(claims, "iss")), None
    yield "another audience", said("aud", "https://example.com"), None
    yield "a longer audience", said("aud", claims["aud"] + "/"), None
    yield "no audience", issuer.token(without(claims, "aud")), None
    yield "one audience as a list", said("aud", [claims["aud"]]), ONE_AUDIENCE
    yield "two audiences", said("aud", [claims["aud"], "https://example.com"]), ONE_AUDIENCE
    yield "expired", issuer.token({**claims, "iat": NOW - 7200, "nbf": NOW - 7200, "exp": NOW - 3600}), None
    yield "not yet valid", issuer.token({**claims, "iat": NOW + 3600, "nbf": NOW + 3600, "exp": NOW + 3900}), None
    yield "nbf ahead", said("nbf", NOW + 3600), None
    yield "iat ahead", said("iat", NOW + 3600), None
    yield "exp as text", said("exp", str(claims["exp"])), WHOLE_SECONDS
    yield "exp with a fraction", said("exp", claims["exp"] + 0.5), WHOLE_SECONDS
    yield "exp that is no number", said("exp", "soon"), None
    yield "iat as text", said("iat", str(claims["iat"])), WHOLE_SECONDS
    yield "no exp", issuer.token(without(claims, "exp")), NO_TIMES
    yield "no iat", issuer.token(without(claims, "iat")), NO_TIMES


def judged(cases, verdict, text=lambda token: token):
    return [{"name": name, "text": text(token), "theirs": verdict(token), "otherwise": otherwise}
            for name, token, otherwise in cases]


def push_tokens(issuer):
    """Google's token on a push request."""
    audience, email = "https://gate.example/pubsub/events", "push@acme.iam.gserviceaccount.com"
    claims = {"iss": "https://accounts.google.com", "aud": audience, "azp": "1", "sub": "1", "email": email,
              "email_verified": True, "iat": NOW - 10, "exp": NOW + 3590}

    def own_cases():
        for name, value in (("email", "other@acme.iam.gserviceaccount.com"), ("email", email.upper()),
                            ("email_verified", False), ("email_verified", "true")):
            yield f"{name} {value!r}", issuer.token({**claims, name: value}), None
        for name in ("email", "email_verified"):
            yield f"no {name}", issuer.token(without(claims, name)), None

    def verdict(token):
        return issuer.verdict(token, claims["iss"], audience, {"email": email, "email_verified": True})
    cases = [*token_cases(issuer, claims), *claim_cases(issuer, claims), *own_cases()]
    return {"audience": audience, "email": email, "now": NOW, "jwks": issuer.jwks(), "cases": judged(cases, verdict)}


def statement():
    """A statement whose base64 needs padding."""
    commit = "d18aac96b905b4b3c839891b7a91c9414149514c"
    text = json.dumps({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "fraud-train", "digest": {"sha256": "ab" * 32}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://buildkite.github.io/slsa-buildtypes/job/v1",
                "externalParameters": {
                    "pipeline": "https://buildkite.com/acme/fraud-train",
                    "build": {"branch": "main", "commit": commit},
                    "step": {"key": "build"}, "job": {"id": "j-1"},
                },
                "internalParameters": {"buildkite": {"build_number": "42"}},
            },
            "runDetails": {"builder": {"id": "urn:launchgate:emit:v1"}},
        },
    })
    return (text + " " * (1 + -len(text) % 3)).encode()


def buildkite_tokens(issuer):
    """Buildkite's token of a job as the signature of the event whose digest its audience names."""
    payload = statement()
    pae = b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    audience = f"launchgate-prod/event/{hashlib.sha256(pae).hexdigest()}"
    job = {"organization_slug": "acme", "pipeline_slug": "fraud-train", "build_number": 42, "build_branch": "main",
           "build_commit": "d18aac96b905b4b3c839891b7a91c9414149514c", "step_key": "build", "job_id": "j-1"}
    claims = {"iss": "https://agent.buildkite.com", "sub": "whatever", "aud": audience,
              "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 290, **job}

    def own_cases():
        other_event = audience[:-64] + "0" * 64
        yield "bound to another event", issuer.token({**claims, "aud": other_event}), None
        yield "bound to nothing", issuer.token({**claims, "aud": "launchgate-prod"}), None
        yield "a token for the claims", issuer.token({**claims, "aud": "launchgate-prod/claims"}), None
        yield "of another service", issuer.token({**claims, "aud": audience.replace("prod", "test")}), None
        for name, value in job.items():
            other = value + 1 if name == "build_number" else value[:-1] + "0"
            yield f"another {name}", issuer.token({**claims, name: other}), None
            yield f"no {name}", issuer.token(without(claims, name)), None
        yield "build_number as text", issuer.token({**claims, "build_number": "42"}), None
        yield "a day of life", issuer.token({**claims, "exp": NOW + 86_400}), LIFETIME
        late = {**claims, "iat": NOW - 1800, "nbf": NOW - 1800, "exp": NOW + 5400}
        yield "used after half an hour", issuer.token(late), LIFETIME

    def verdict(token):
        return issuer.verdict(token, claims["iss"], audience, job)

    def envelope(token):
        return json.dumps({"payloadType": PAYLOAD_TYPE, "payload": base64.b64encode(payload).decode(),
                           "signatures": [{"sig": base64.b64encode(token.encode()).decode()}]})
    cases = [*token_cases(issuer, claims), *claim_cases(issuer, claims), *own_cases()]
    return {"audience": "launchgate-prod", "organization": "acme", "now": NOW, "jwks": issuer.jwks(),
            "cases": judged(cases, verdict, envelope)}


def envelopes(folder):
    """DSSE envelopes of each scheme."""
    rsa, other_rsa = (load_pem_private_key((folder / name).read_bytes(), None) for name in ("rsa.pem", "rsa-other.pem"))

    def pair(scheme, private):
        return CryptoSigner(private, SSlibKey.from_crypto(private.public_key(), scheme=scheme))
    makers = {
        "ed25519": [CryptoSigner.generate_ed25519() for _ in range(2)],
        "ecdsa-p256": [CryptoSigner.generate_ecdsa(scheme="ecdsa-sha2-nistp256") for _ in range(2)],
        "ecdsa-p384": [pair("ecdsa-sha2-nistp384", ec.generate_private_key(ec.SECP384R1())) for _ in range(2)],
        "rsa-pss-sha256": [pair("rsassa-pss-sha256", key) for key in (rsa, other_rsa)],
        "rsa-pkcs1v15-sha256": [pair("rsa-pkcs1v15-sha256", key) for key in (rsa, other_rsa)],
    }
    payload = statement()

    def signed(body, kind, *signers):
        envelope = Envelope(body, kind, {})
        for signer in signers:
            envelope.sign(signer)
        return envelope.to_dict()

    suite = []
    for scheme, (signer, stranger) in makers.items():
        good = signed(payload, PAYLOAD_TYPE, signer)
        sig = base64.b64decode(good["signatures"][0]["sig"])

        def with_sig(data):
            return {**good, "signatures": [{**good["signatures"][0], "sig": base64.b64encode(data).decode()}]}
        changed = base64.b64encode(payload.replace(b"main", b"evil")).decode()
        urlsafe = good["payload"].replace("+", "-").replace("/", "_")
        keyid = good["signatures"][0]["keyid"]
        foreign = signed(payload, PAYLOAD_TYPE, stranger)
        spaced = good["payload"][:4] + "\n" + good["payload"][4:]

        def over(message):
            return with_sig(bytes.fromhex(signer.sign(message).signature))
        cases = [
            ("right", good, None),
            ("right, beside a stranger's", signed(payload, PAYLOAD_TYPE, stranger, signer), None),
            ("right, in the URL-safe alphabet", {**good, "payload": urlsafe}, None),
            ("right, with a member nobody knows", {**good, "note": "x"}, None),
            ("right, signed again", signed(payload, PAYLOAD_TYPE, signer), None),
            ("another's keyid", {**good, "signatures": [{**good["signatures"][0], "keyid": "ab" * 32}]}, KEYID),
            ("a stranger's", foreign, None),
            ("a stranger's under this keyid",
             {**good, "signatures": [{**foreign["signatures"][0], "keyid": keyid}]}, None),
            ("no signature", {**good, "signatures": []}, None),
            ("an empty signature", with_sig(b""), None),
            ("a changed payload", {**good, "payload": changed}, None),
            ("a changed type", {**good, "payloadType": "application/vnd.in-toto+xml"}, None),
            ("another type, signed", signed(payload, "text/plain", signer), TYPE),
            ("the payload alone signed", over(payload), None),
            ("the base64 text signed", over(good["payload"].encode()), None),
            ("a signature bit flipped", with_sig(sig[:-1] + bytes([sig[-1] ^ 1])), None),
            ("a byte more", with_sig(sig + b"\0"), None),
            ("a byte less", with_sig(sig[:-1]), None),
            ("the signature twice over", with_sig(sig + sig), None),
            ("no padding", {**good, "payload": good["payload"].rstrip("=")}, None),
            ("whitespace in base64", {**good, "payload": spaced}, None),
        ]

        def verdict(envelope):
            try:
                read = Envelope.from_dict(json.loads(json.dumps(envelope)))
                read.verify([signer.public_key], 1)
            except Exception:  # whatever it raises, it is not accepted
                return False
            return True
        public = load_pem_private_key(signer.private_bytes, None).public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        suite.append({"scheme": scheme, "pem": pem, "cases": judged(cases, verdict, json.dumps)})
    return {"now": NOW, "schemes": suite}


def main(folder):
    # A forger does not mind that its secret is short.
    warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
    issuer = Issuer(folder)
    print(json.dumps({
        "pyjwt": jwt.__version__,
        "securesystemslib": securesystemslib.__version__,
        "push_tokens": push_tokens(issuer),
        "buildkite_tokens": buildkite_tokens(issuer),
        "envelopes": envelopes(folder),
    }))


if __name__ == "__main__":
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    main(Path(json.load(sys.stdin)["keys"]))
