// Verifies an access token as another service would: node examples/verify.mjs TOKEN
// Once before: npm --prefix clients/js ci. MANA_API_URL is the front's address.
import { createRequire } from "node:module";

const jose = createRequire(new URL("../clients/js/package.json", import.meta.url)).resolve("jose");
const { createRemoteJWKSet, jwtVerify } = await import(jose);

const keys = createRemoteJWKSet(new URL(process.env.MANA_API_URL + "/.well-known/jwks.json"));

async function claims(token) {
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ["EdDSA"],
    issuer: "mana",
    audience: "mana",
    typ: "at+jwt",
    requiredClaims: ["sub", "sid", "role", "exp"],
  });
  return payload;
}

console.log(JSON.stringify(await claims(process.argv[2])));
