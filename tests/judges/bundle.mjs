// Whether npm's own library accepts a bundle that a key signed: node bundle.mjs KEY.pub TRUSTED_ROOT BUNDLE…
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { bundleFromJSON } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";

const [publicKey, trustedRoot, ...bundles] = process.argv.slice(2);

const root = TrustedRoot.fromJSON(JSON.parse(readFileSync(trustedRoot, "utf8")));
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
