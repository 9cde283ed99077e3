// A real OpenID Connect provider (node-oidc-provider) with one person per login, for the test beside it.
// Prints its issuer once it listens; reads nothing; ends when its standard input closes.
//   node oidc_provider.mjs MODULE REDIRECT_URI LOGOUT_URI SECRET

import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import { pathToFileURL } from "node:url";

const [module, redirect, logout, secret] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(module));

const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });

const provider = new Provider(issuer, {
  clients: [{
    client_id: "alarmhub", client_secret: secret, redirect_uris: [redirect], post_logout_redirect_uris: [logout],
    grant_types: ["authorization_code"], response_types: ["code"], token_endpoint_auth_method: "client_secret_basic",
  }],
  jwks: { keys: [{ ...key, kid: "first", use: "sig", alg: "RS256" }] },
  pkce: { required: () => true },
  conformIdTokenClaims: false,
  claims: { openid: ["sub", "employeeHsaId", "groups"] },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, employeeHsaId: `SE165565594230-${id}`, groups: [`alarm-${id}`] }),
  }),
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  cookies: { keys: ["only for this test"] },
});
server.on("request", provider.callback());
console.log(issuer);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
