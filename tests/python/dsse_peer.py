#!/usr/bin/env python3
"""The other side of the interop tests: DSSE envelopes by securesystemslib, an implementation that is not ours.

usage: dsse_peer.py key SCHEME PRIVATE_PEM PUBLIC_PEM             makes a key pair (PKCS#8 and SPKI)
       dsse_peer.py sign SCHEME PRIVATE_PEM STATEMENT ENVELOPE    signs the bytes of the file STATEMENT
       dsse_peer.py verify SCHEME PUBLIC_PEM ENVELOPE STATEMENT   exits 0 if ENVELOPE verifies and holds STATEMENT's bytes

SCHEME is a name of the triggers file: ed25519, ecdsa-p256, ecdsa-p384, rsa-pss-sha256, rsa-pkcs1v15-sha256.
"""
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
THEIR_SCHEME = {
    "ed25519": "ed25519",
    "ecdsa-p256": "ecdsa-sha2-nistp256",
    "ecdsa-p384": "ecdsa-sha2-nistp384",
    "rsa-pss-sha256": "rsassa-pss-sha256",
    "rsa-pkcs1v15-sha256": "rsa-pkcs1v15-sha256",
}


def key(scheme, private_pem, public_pem):
    theirs = THEIR_SCHEME[scheme]
    if scheme == "ed25519":
        signer = CryptoSigner.generate_ed25519()
    elif scheme.startswith("ecdsa"):
        signer = CryptoSigner.generate_ecdsa(scheme=theirs)
    else:
        signer = CryptoSigner.generate_rsa(scheme=theirs, size=2048)
    public = load_pem_private_key(signer.private_bytes, None).public_key()
    Path(private_pem).write_bytes(signer.private_bytes)
    Path(public_pem).write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def sign(scheme, private_pem, statement, envelope):
    private = load_pem_private_key(Path(private_pem).read_bytes(), None)
    public = SSlibKey.from_crypto(private.public_key(), scheme=THEIR_SCHEME[scheme])
    signed = Envelope(Path(statement).read_bytes(), PAYLOAD_TYPE, {})
    signed.sign(CryptoSigner(private, public))
    Path(envelope).write_text(json.dumps(signed.to_dict()))


def verify(scheme, public_pem, envelope, statement):
    data = json.loads(Path(envelope).read_text())
    public = load_pem_public_key(Path(public_pem).read_bytes())
    # This library pairs keys and signatures by keyid; ours is a fingerprint and only a hint.
    keyid = data["signatures"][0]["keyid"]
    read = Envelope.from_dict(data)
    if read.payload_type != PAYLOAD_TYPE:
        sys.exit(f"expected the payload type {PAYLOAD_TYPE}, found {read.payload_type}")
    if read.payload != Path(statement).read_bytes():
        sys.exit("the envelope holds another payload than the statement given")
    try:
        read.verify([SSlibKey.from_crypto(public, keyid, THEIR_SCHEME[scheme])], 1)
    except VerificationError as error:
        sys.exit(f"not verified: {error}")


if __name__ == "__main__":
    commands = {"key": (key, 2), "sign": (sign, 3), "verify": (verify, 3)}
    command, paths = commands.get(next(iter(sys.argv[1:]), ""), (None, 0))
    if command is None or len(sys.argv) != 3 + paths or sys.argv[2] not in THEIR_SCHEME:
        sys.exit(__doc__)
    command(*sys.argv[2:])
