// How the provider is set up: every feature that the tests are about is on.
import crypto from 'node:crypto';
import { clients } from './clients.mjs';
import { acrValues, findAccount } from './people.mjs';

const apiScopes = 'openid profile email offline_access read write';

// resourceServer, RFC 8707: a token for an API is a JWT (RFC 9068) with its
// audience, except for one that wants them opaque.
export function resourceServer(ttl) {
  return (_ctx, resource) => ({
    scope: apiScopes,
    audience: resource,
    accessTokenFormat: resource.endsWith('/opaque') ? 'opaque' : 'jwt',
    accessTokenTTL: ttl.access,
  });
}

// configuration of one issuer. strict demands what the others only offer:
// pushed requests, nonces in DPoP proofs, and claims from the userinfo endpoint.
export function configuration({ strict = false, aliases, ttl, keys, signingKeys }) {
  return {
    clients: clients(keys),
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'self_signed_tls_client_auth',
      'tls_client_auth',
      'none',
    ],
    jwks: signingKeys,
    cookies: { keys: [crypto.randomBytes(24).toString('base64url')] },
    // The endpoints that ask for a client certificate, RFC 8705 5.
    discovery: aliases ? { mtls_endpoint_aliases: aliases } : {},
    acrValues,
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username', 'groups'],
      department: null, // only by the claims parameter
      acr: null,
      amr: null,
      auth_time: null,
    },
    scopes: ['openid', 'offline_access', 'profile', 'email', 'read', 'write'],
    // Some providers know an API by this parameter instead of RFC 8707's.
    extraParams: ['audience', 'x_extra'],
    conformIdTokenClaims: strict, // else claims in the ID token too: Kubernetes reads them there
    pkce: { required: () => true },
    rotateRefreshToken: true,
    findAccount,
    features: {
      claimsParameter: { enabled: true },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      dPoP: {
        enabled: true,
        ...(strict && { nonceSecret: crypto.randomBytes(32), requireNonce: () => true }),
      },
      introspection: { enabled: true, allowedPolicy: (_ctx, client) => client.clientId === 'api' },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: true,
        tlsClientAuth: true,
        getCertificate: (ctx) => ctx.req.socket.getPeerX509Certificate?.(),
        certificateAuthorized: (ctx) => ctx.req.socket.authorized,
        certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_san_dns'
          && ctx.req.socket.getPeerX509Certificate().checkHost(expected) !== undefined,
      },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: strict },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: resourceServer(ttl),
        defaultResource: (ctx, _client, oneOf) => oneOf ?? ctx.oidc.params.audience,
        // Without this the first token, whose scopes are the sign-in's, would
        // be one for the userinfo endpoint.
        useGrantedResource: () => true,
      },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      userinfo: { enabled: true },
    },
    ttl: {
      AccessToken: () => ttl.access,
      AuthorizationCode: 60,
      ClientCredentials: () => ttl.access,
      DeviceCode: 120,
      Grant: 86400,
      IdToken: () => ttl.id,
      Interaction: 600,
      RefreshToken: (_ctx, _token, client) => (client.clientId === 'short-lived' ? ttl.short : ttl.refresh),
      Session: 86400,
    },
  };
}
