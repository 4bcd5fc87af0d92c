#!/usr/bin/env python3
"""The keys of the Cloud KMS stand-in: made and used by `cryptography` (OpenSSL), which signs digests as an HSM does.

usage: kms_vault.py key ALGORITHM PRIVATE_PEM PUBLIC_PEM    makes a key pair (PKCS#8 and SPKI)
       kms_vault.py sign ALGORITHM PRIVATE_PEM DIGEST       prints a signature over the digest, both in base64

ALGORITHM is a CryptoKeyVersionAlgorithm: EC_SIGN_P256_SHA256, EC_SIGN_P384_SHA384, RSA_SIGN_PSS_3072_SHA256, …
"""
import base64
import sys
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

CURVES = {"P256": ec.SECP256R1, "P384": ec.SECP384R1}
HASHES = {"SHA256": hashes.SHA256, "SHA384": hashes.SHA384}


def key(algorithm, private_pem, public_pem):
    kind, _, *more = algorithm.split("_")
    if kind == "EC":
        private = ec.generate_private_key(CURVES[more[0]]())
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=int(more[1]))
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    Path(private_pem).write_bytes(text)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    Path(public_pem).write_bytes(public)


def sign(algorithm, private_pem, digest):
    private = load_pem_private_key(Path(private_pem).read_bytes(), None)
    hashed = HASHES[algorithm.rsplit("_", 1)[1]]()
    prehashed, digest = Prehashed(hashed), base64.b64decode(digest)
    if algorithm.startswith("EC_"):
        signature = private.sign(digest, ec.ECDSA(prehashed))
    elif "_PSS_" in algorithm:
        # Cloud KMS: MGF1 with the same hash, a salt as long as the digest.
        pss = padding.PSS(mgf=padding.MGF1(hashed), salt_length=hashed.digest_size)
        signature = private.sign(digest, pss, prehashed)
    else:
        signature = private.sign(digest, padding.PKCS1v15(), prehashed)
    print(base64.b64encode(signature).decode())


if __name__ == "__main__":
    commands = {"key": (key, 4), "sign": (sign, 4)}
    command, count = commands.get(next(iter(sys.argv[1:]), ""), (None, 0))
    if command is None or len(sys.argv) != 1 + count:
        sys.exit(__doc__)
    command(*sys.argv[2:])
