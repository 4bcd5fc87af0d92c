#!/usr/bin/env python3
"""A second opinion on Sigstore bundles: those of the PyPI package sigstore, an implementation that is not ours.

Reads [{"root": TRUSTED_ROOT, "bundle": BUNDLE, "identity": SAN, "issuer": URL}] from standard input, writes a list
of the same length to standard output: null for a bundle that verifies, else why it does not. Offline.
"""
import json
import sys
import tempfile
from pathlib import Path

from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy


def opinion(case, folder):
    root = Path(folder) / "trusted_root.json"
    root.write_text(json.dumps(case["root"]))
    try:
        bundle = Bundle.from_json(json.dumps(case["bundle"]))
        verifier = Verifier(trusted_root=TrustedRoot.from_file(str(root)))
        verifier.verify_dsse(bundle, policy.Identity(identity=case["identity"], issuer=case["issuer"]))
    except Exception as error:  # Whatever it raises, it does not accept.
        return f"{type(error).__name__}: {error}"
    return None


with tempfile.TemporaryDirectory() as place:
    json.dump([opinion(case, place) for case in json.load(sys.stdin)], sys.stdout)
