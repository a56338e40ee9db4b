"""Whether securesystemslib accepts our envelopes and in-toto-attestation our statements: KEY.pub BUNDLE…"""

import json
import sys

import in_toto_attestation.v1.statement_pb2 as statement_pb2
from google.protobuf import json_format
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

PREDICATES = {
    "https://slsa.dev/provenance/v1": provenance_pb2.Provenance,
    "https://in-toto.io/attestation/test-result/v0.1": test_result_pb2.TestResult,
    "https://slsa.dev/verification_summary/v1": vsa_pb2.VerificationSummary,
}

with open(sys.argv[1], encoding="utf-8") as file:
    pem = file.read()
for path in sys.argv[2:]:
    with open(path, encoding="utf-8") as file:
        wire = json.load(file)["dsseEnvelope"]
    envelope = Envelope.from_dict(wire)
    (keyid,) = envelope.signatures
    key = SSlibKey(keyid, "ecdsa", "ecdsa-sha2-nistp256", {"public": pem})
    assert list(envelope.verify([key], 1)) == [keyid]

    message = json_format.Parse(envelope.payload, statement_pb2.Statement())
    Statement.copy_from_pb(message).validate()
    for subject in message.subject:
        ResourceDescriptor.copy_from_pb(subject).validate()
    predicate = PREDICATES.get(message.predicate_type)
    if predicate is not None:
        raw = json.loads(envelope.payload)["predicate"]
        # A list by the specification; the message has a single string.
        raw.pop("verifiedLevels", None)
        # Extension fields are allowed by the specification, and unknown to the message.
        json_format.ParseDict(raw, predicate(), ignore_unknown_fields=True)
    print("accepted", path)
