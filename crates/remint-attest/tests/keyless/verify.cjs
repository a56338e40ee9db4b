// npm's verifier: ROOT BUNDLE IDENTITY ISSUER; the verified payload on standard output, or exit code 3.
const fs = require("node:fs");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

const [root, bundle, identity, issuer] = process.argv.slice(2);
const json = (path) => JSON.parse(fs.readFileSync(path, "utf8"));
const material = toTrustMaterial(TrustedRoot.fromJSON(json(root)));
const parsed = bundleFromJSON(json(bundle));
const exact = (text) => `^${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`;
try {
  const verifier = new Verifier(material, { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 });
  verifier.verify(toSignedEntity(parsed), { subjectAlternativeName: exact(identity), extensions: { issuer } });
} catch (error) {
  console.error(error);
  process.exit(3);
}
process.stdout.write(parsed.content.dsseEnvelope.payload);
