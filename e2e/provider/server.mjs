// An OpenID Connect provider on loopback for the end-to-end tests: the
// certified oidc-provider package with rotation of refresh tokens, detection
// of their reuse, PKCE, revocation, end session, RFC 9207 and RFC 8707.
//
// The signing keys come from the test, as a JWK set in SIGNING_KEYS: in Node 20
// exporting a key as a JWK right after generating it can deadlock, when a garbage
// collection of the generator falls between.
//
// It prints one line of JSON, {"issuer","admin"}, when it listens, and ends when
// its standard input does, so that it never outlives the test that started it.
// The second address steers it:
//
//   POST /down, /up        closes the issuer's port; opens the same one again
//   POST /ttl?access=5     lifetimes in seconds: access, id, refresh
//   POST /fail?token=503   answers a path with a status; 0 ends it
//   GET  /log              requests by path, and what was issued and revoked
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';

const env = process.env;
const ttl = {
  access: Number(env.ACCESS_TTL ?? 300),
  id: Number(env.ID_TTL ?? 300),
  refresh: Number(env.REFRESH_TTL ?? 3600),
};
const requests = {}; // "POST /token": how often
const events = []; // {event, kind}
const failing = {}; // path: status

function configuration() {
  return {
    clients: [
      {
        client_id: 'oidc-cred',
        application_type: 'native', // any loopback port, RFC 8252 7.3
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
        redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback'],
        post_logout_redirect_uris: ['http://127.0.0.1/signed-out'],
      },
      {
        client_id: 'confidential',
        client_secret: 'a secret with: special +characters&',
        application_type: 'native',
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        redirect_uris: ['http://127.0.0.1/callback'],
      },
    ],
    jwks: JSON.parse(env.SIGNING_KEYS),
    cookies: { keys: [crypto.randomBytes(24).toString('base64url')] },
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username', 'groups'],
    },
    conformIdTokenClaims: false, // claims in the ID token too: Kubernetes reads them there
    pkce: { required: () => true },
    rotateRefreshToken: true,
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: () => ({
        sub,
        email: `${sub}@example.test`,
        email_verified: true,
        name: `Test ${sub}`,
        preferred_username: sub,
        groups: ['developers'],
      }),
    }),
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: false },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      userinfo: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // RFC 8707: a token for a resource is a JWT (RFC 9068) with that audience.
        getResourceServerInfo: (_ctx, resource) => ({
          scope: 'openid profile email offline_access read write',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: ttl.access,
        }),
        // Without this the first token, whose scopes are the sign-in's, would
        // be one for the userinfo endpoint.
        useGrantedResource: () => true,
      },
    },
    ttl: {
      AccessToken: () => ttl.access,
      AuthorizationCode: 60,
      DeviceCode: 120,
      Grant: 86400,
      IdToken: () => ttl.id,
      Interaction: 600,
      RefreshToken: () => ttl.refresh,
      Session: 86400,
    },
  };
}

function createServer(handler) {
  if (env.TLS_CERT) {
    return https.createServer({ cert: fs.readFileSync(env.TLS_CERT), key: fs.readFileSync(env.TLS_KEY) }, handler);
  }
  return http.createServer(handler);
}

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server.address().port));
  });
}

let provider;
let server;
let port = Number(env.PORT ?? 0);

function handle(request, response) {
  const path = new URL(request.url, 'http://provider').pathname;
  const name = `${request.method} ${path.replace(/^\/(interaction|auth|device)\/.*/, '/$1/…')}`;
  requests[name] = (requests[name] ?? 0) + 1;
  const status = failing[path.slice(1)];
  if (status) {
    response.writeHead(status, { 'content-type': 'text/plain' }).end('failing on purpose');
    return;
  }
  provider(request, response);
}

async function up() {
  if (server) return;
  server = createServer(handle);
  port = await listen(server, port);
}

async function down() {
  if (!server) return;
  const closing = server;
  server = undefined;
  const closed = new Promise((resolve) => closing.close(resolve));
  closing.closeAllConnections();
  await closed;
}

async function admin(request, response) {
  const url = new URL(request.url, 'http://admin');
  const numbers = Object.fromEntries([...url.searchParams].map(([name, value]) => [name, Number(value)]));
  switch (`${request.method} ${url.pathname}`) {
    case 'POST /down':
      await down();
      break;
    case 'POST /up':
      await up();
      break;
    case 'POST /ttl':
      Object.assign(ttl, numbers);
      break;
    case 'POST /fail':
      Object.assign(failing, numbers);
      break;
    case 'GET /log':
      break;
    default:
      response.writeHead(404).end();
      return;
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ requests, events }));
}

// The port is part of the issuer's name, so it is opened first.
await up();
const issuer = `${env.TLS_CERT ? 'https' : 'http'}://127.0.0.1:${port}`;
const oidc = new Provider(issuer, configuration());
for (const kind of ['access_token', 'refresh_token', 'authorization_code']) {
  for (const event of ['saved', 'issued', 'consumed', 'destroyed']) {
    oidc.on(`${kind}.${event}`, () => events.push({ event, kind }));
  }
}
oidc.on('grant.revoked', (_ctx, grant) => events.push({ event: 'revoked', kind: 'grant', grant }));
oidc.on('grant.error', (_ctx, error) => events.push({ event: 'error', kind: error.error, detail: error.error_detail }));
oidc.on('server_error', (_ctx, error) => console.error(error));
provider = oidc.callback();

const steering = http.createServer(admin);
const adminPort = await listen(steering, 0);
console.log(JSON.stringify({ issuer, admin: `http://127.0.0.1:${adminPort}` }));

process.stdin.on('end', () => process.exit(0)).resume();
