// Whether npm's own library accepts a bundle that a key signed: node bundle.mjs KEY.pub KEY.log.pub BUNDLE…
import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { bundleFromJSON } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";

const [publicKey, logKey, ...bundles] = process.argv.slice(2);

// A verifier key of C2SP signed-note: name, hash, and the key with its type before it.
const [name, , ...encoded] = readFileSync(logKey, "utf8").trim().split("+");
const typed = Buffer.from(encoded.join("+"), "base64");
const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), typed.subarray(1)]);
const logId = createHash("sha256").update(`${name}\n`).update(typed).digest();

const root = TrustedRoot.fromJSON({
  mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
  tlogs: [
    {
      baseUrl: `https://${name}`,
      hashAlgorithm: "SHA2_256",
      publicKey: {
        rawBytes: spki.toString("base64"),
        keyDetails: "PKIX_ED25519",
        validFor: { start: "2020-01-01T00:00:00Z" },
      },
      logId: { keyId: logId.toString("base64") },
    },
  ],
});
const key = { publicKey: createPublicKey(readFileSync(publicKey)), validFor: () => true };
const verifier = new Verifier(toTrustMaterial(root, () => key), {
  tlogThreshold: 1,
  ctlogThreshold: 0,
  // A local log has no time of its own.
  timestampThreshold: 0,
});
for (const path of bundles) {
  verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(readFileSync(path, "utf8")))));
  console.log(`accepted ${path}`);
}
