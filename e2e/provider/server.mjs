// An OpenID Connect provider on loopback for the end-to-end tests: the
// certified oidc-provider package with its features on.
//
// Keys come from the test, as JWK sets: in Node 20 exporting a key as a JWK right
// after generating it can deadlock, when a garbage collection of the generator
// falls between.
//
//   SIGNING_KEYS   the provider's own, private
//   CLIENT_KEYS    public ones by client: {"key-rs256": {"keys": […]}}
//   TRUSTED        {"issuer", "jwks"}: whose JWTs are taken as subject tokens
//   TLS_CERT, TLS_KEY, CLIENT_CA  PEM files; with them there is an issuer on https
//   ISSUERS        which there are: plain, ipv6, strict, tls; the first is the main one
//   PORT           the main one's
//   ACCESS_TTL, ID_TTL, REFRESH_TTL, SHORT_TTL  lifetimes in seconds
//
// It prints one line of JSON, {"issuer","admin","issuers"}, when it listens, and
// ends when its standard input does, so that it never outlives the test that
// started it. admin.mjs says what the second address is for.
import { admin } from './admin.mjs';
import { Issuer } from './issuer.mjs';
import { Recorder } from './record.mjs';

const env = process.env;
const json = (text, otherwise) => (text ? JSON.parse(text) : otherwise);
const ttl = {
  access: Number(env.ACCESS_TTL ?? 300),
  id: Number(env.ID_TTL ?? 300),
  refresh: Number(env.REFRESH_TTL ?? 3600),
  short: Number(env.SHORT_TTL ?? 5),
};
const signingKeys = json(env.SIGNING_KEYS);
const publicPart = ({ d, p, q, dp, dq, qi, oth, ...key }) => key;
const shared = {
  ttl,
  failing: {}, // path: status
  recorder: new Recorder(),
  signingKeys,
  publicKeys: { keys: signingKeys.keys.map(publicPart) },
  keys: json(env.CLIENT_KEYS, {}),
  trusted: json(env.TRUSTED),
};
const tls = env.TLS_CERT && { cert: env.TLS_CERT, key: env.TLS_KEY, clientCA: env.CLIENT_CA };
const kinds = {
  plain: {},
  ipv6: { host: '::1' },
  strict: { strict: true },
  tls: { tls },
};

const names = (env.ISSUERS ?? (tls ? 'tls' : 'plain')).split(',');
const issuers = names.map((name) => new Issuer({ ...shared, ...kinds[name] }));
for (const [at, issuer] of issuers.entries()) {
  await issuer.start(at === 0 ? Number(env.PORT ?? 0) : 0);
}
console.log(JSON.stringify({
  issuer: issuers[0].url,
  admin: await admin({ ...shared, issuers }),
  issuers: Object.fromEntries(names.map((name, at) => [name, issuers[at].url])),
}));

process.stdin.on('end', () => process.exit(0)).resume();
