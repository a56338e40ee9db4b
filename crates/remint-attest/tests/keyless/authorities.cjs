// A certificate authority with its certificate log, a timestamp authority, and the signing half of a Rekor v1 log, all
// of npm's @sigstore/mock: code that owes nothing to what is tested. One line of JSON in, one line out.
const crypto = require("node:crypto");
const readline = require("node:readline");
const mock = require("@sigstore/mock");
const pkijs = require("pkijs");

const pair = () => crypto.generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const sha256 = (bytes) => ({ algorithm: "sha256", value: crypto.createHash("sha256").update(bytes).digest("hex") });

// Rekor writes certificates in its own way, whichever way they came.
const rewritten = (verifier) =>
  base64(Buffer.from(new crypto.X509Certificate(Buffer.from(verifier, "base64")).toString()));

// What Rekor v1 keeps of a proposed `dsse` entry (rekor, pkg/types/dsse/v0.0.1/entry.go, `Canonicalize`).
function kept(proposed) {
  const { envelope, verifiers } = proposed.spec.proposedContent;
  const parsed = JSON.parse(envelope);
  return {
    apiVersion: proposed.apiVersion,
    kind: proposed.kind,
    spec: {
      envelopeHash: sha256(envelope),
      payloadHash: sha256(Buffer.from(parsed.payload, "base64")),
      signatures: parsed.signatures.map((signature, at) => ({ signature: signature.sig, verifier: rewritten(verifiers[at]) })),
    },
  };
}

async function main() {
  const logKeys = pair();
  const certificateLog = await mock.initializeCTLog(pair());
  const authority = await mock.initializeCA(pair(), certificateLog);
  const certify = mock.fulcioHandler(authority).fn;
  const timestamps = await mock.initializeTSA(pair());
  const log = await mock.initializeTLog("https://log-v1.loopback.example", logKeys);

  // One clock for all. DER has no room for the zeros that the mock writes after whole seconds (RFC 3161, section 2.4.2).
  let ahead = 0;
  const now = () => new Date(Math.floor((Date.now() + ahead) / 1000) * 1000);
  for (const service of [authority, certificateLog, timestamps, log]) service.getCurrentTime = now;

  const ids = new Map();
  const entries = new Map();
  const answer = {
    clock: async (body) => {
      ahead = Number(body.toString());
      return { statusCode: 200, response: "" };
    },
    "certificate-authority": async (body) => certify(body.toString()),
    "timestamp-authority": async (body) => {
      const request = pkijs.TimeStampReq.fromBER(body);
      const response = await timestamps.timestamp({
        artifactHash: Buffer.from(request.messageImprint.hashedMessage.valueBlock.valueHexView),
        hashAlgorithmOID: request.messageImprint.hashAlgorithm.algorithmId,
        policyOID: "1.3.6.1.4.1.57264.2",
        nonce: 1,
        certReq: request.certReq,
      });
      return { statusCode: 201, response };
    },
    log: async (body) => {
      const entry = kept(JSON.parse(body.toString()));
      const known = ids.get(JSON.stringify(entry));
      if (known) {
        const message = `an equivalent entry already exists in the transparency log with UUID ${known}`;
        return { statusCode: 409, response: JSON.stringify({ code: 409, message }) };
      }
      const answered = await log.log(entry);
      const [id] = Object.keys(answered);
      ids.set(JSON.stringify(entry), id);
      entries.set(id, JSON.stringify(answered));
      return { statusCode: 201, response: entries.get(id) };
    },
    "log-entry": async (id) => {
      const response = entries.get(id.toString());
      return response ? { statusCode: 200, response } : { statusCode: 404, response: "" };
    },
  };

  console.log(
    JSON.stringify({
      authority: base64(authority.rootCertificate),
      certificateLog: base64(certificateLog.publicKey),
      timestamps: [base64(timestamps.intCertificate), base64(timestamps.rootCertificate)],
      log: base64(log.publicKey),
    }),
  );
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { service, body } = JSON.parse(line);
    const { statusCode, response } = await answer[service](Buffer.from(body, "base64"));
    console.log(JSON.stringify({ status: statusCode, body: base64(response) }));
  }
}

main();
