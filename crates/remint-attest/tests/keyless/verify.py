"""PyPI's verifier: ROOT BUNDLE IDENTITY ISSUER; the verified payload on standard output, or exit code 3."""

import pathlib
import sys

from sigstore.errors import VerificationError
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

root, bundle, identity, issuer = sys.argv[1:]
verifier = Verifier(trusted_root=TrustedRoot.from_file(root))
parsed = Bundle.from_json(pathlib.Path(bundle).read_bytes())
try:
    _, payload = verifier.verify_dsse(parsed, Identity(identity=identity, issuer=issuer))
except VerificationError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
sys.stdout.buffer.write(payload)
