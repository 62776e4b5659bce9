// Verifies an access token as a JavaScript service would: keys from the published set, one algorithm and no other.
// Arguments: the set's address, the algorithm, the token. Prints the claims; ends with 1 where the token is not good.
import { createRemoteJWKSet, jwtVerify } from "jose";

const [address, algorithm, token] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(address));
try {
  const { payload } = await jwtVerify(token, keys, {
    algorithms: [algorithm],
    issuer: "mana",
    audience: "mana",
    typ: "at+jwt",
    requiredClaims: ["sub", "exp", "iat", "jti", "sid"],
  });
  console.log(JSON.stringify(payload));
} catch (error) {
  console.error(error.code ?? String(error));
  process.exitCode = 1;
}
