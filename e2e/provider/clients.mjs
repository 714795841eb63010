// The registered clients. Keys and certificates of clients come from the test,
// as JWK sets by client in CLIENT_KEYS; a client without its keys is left out.
const device = 'urn:ietf:params:oauth:grant-type:device_code';
export const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
export const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';

export const secret = 'a secret with: special +characters&'; // RFC 6749 2.3.1 wants these encoded

// A program on a person's machine: any loopback port, RFC 8252 7.3.
const native = {
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token', device],
  response_types: ['code'],
  redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback'],
  post_logout_redirect_uris: ['http://127.0.0.1/signed-out', 'http://[::1]/signed-out'],
};

// A program that nobody is there for.
const workload = {
  token_endpoint_auth_method: 'client_secret_basic',
  client_secret: secret,
  grant_types: ['client_credentials', jwtBearer, tokenExchange],
  response_types: [],
  redirect_uris: [],
};

export function clients(keys) {
  const all = [
    { ...native, client_id: 'oidc-cred' },
    { ...native, client_id: 'confidential', client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' },
    { ...native, client_id: 'secret-post', client_secret: secret, token_endpoint_auth_method: 'client_secret_post' },
    { ...native, client_id: 'dpop', dpop_bound_access_tokens: true },
    { ...native, client_id: 'par', require_pushed_authorization_requests: true },
    { ...native, client_id: 'no-refresh', grant_types: ['authorization_code', device] },
    { ...native, client_id: 'short-lived' },
    { ...native, client_id: 'es256', id_token_signed_response_alg: 'ES256' },
    { ...workload, client_id: 'robot' },
    // Exchanges without a secret, as jobs of a build service do.
    { ...workload, client_id: 'job', client_secret: undefined, token_endpoint_auth_method: 'none', grant_types: [jwtBearer, tokenExchange] },
    // Reads about everybody's tokens at the introspection endpoint.
    { ...workload, client_id: 'api', grant_types: ['client_credentials'] },
  ];
  for (const alg of ['RS256', 'PS256', 'ES256']) {
    all.push({
      ...native,
      client_id: `key-${alg.toLowerCase()}`,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: alg,
      grant_types: [...native.grant_types, 'client_credentials'],
      needsKeys: true,
    });
  }
  for (const [client_id, more] of Object.entries({
    'mtls-self-signed': { token_endpoint_auth_method: 'self_signed_tls_client_auth', needsKeys: true },
    'mtls-ca': { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_san_dns: 'client.example.test' },
  })) {
    all.push({
      ...native,
      client_id,
      grant_types: [...native.grant_types, 'client_credentials'],
      tls_client_certificate_bound_access_tokens: true,
      ...more,
    });
  }
  return all
    .filter(({ client_id, needsKeys }) => !needsKeys || keys[client_id])
    .map(({ needsKeys, ...client }) => (needsKeys ? { ...client, jwks: keys[client.client_id] } : client));
}
