// Two grants that the package leaves to its users: a token for a token that
// somebody else issued, RFC 7523 (JWT bearer) and RFC 8693 (token exchange).
import { createLocalJWKSet, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';
import { jwtBearer, tokenExchange } from './clients.mjs';

const urn = 'urn:ietf:params:oauth:token-type:';

// trusted is who signs subject tokens: {issuer, jwks}. own is this provider's
// JWK set, for ID tokens that it issued itself.
export function registerGrants(oidc, { trusted, own, resourceServer, ttl }) {
  const foreign = trusted && createLocalJWKSet(trusted.jwks);
  const local = createLocalJWKSet(own);

  async function verify(token, keys, options) {
    try {
      return (await jwtVerify(token, keys, { requiredClaims: ['sub', 'exp'], ...options })).payload;
    } catch (cause) {
      throw new errors.InvalidGrant('subject token', { cause });
    }
  }

  function assertion(token, ctx) {
    if (!foreign) throw new errors.InvalidGrant('nobody is trusted');
    // RFC 7523 3: the audience is this server, by its issuer or token endpoint.
    return verify(token, foreign, { issuer: trusted.issuer, audience: [oidc.issuer, ctx.oidc.urlFor('token')] });
  }

  async function subject(ctx) {
    const { subject_token: token, subject_token_type: type } = ctx.oidc.params;
    switch (type?.replace(urn, '')) {
      case 'jwt':
        return (await assertion(token, ctx)).sub;
      case 'id_token':
        return (await verify(token, local, { issuer: oidc.issuer })).sub;
      case 'access_token': {
        const found = await oidc.AccessToken.find(token);
        if (!found?.isValid) throw new errors.InvalidGrant('access token not found');
        return found.accountId;
      }
      default:
        throw new errors.InvalidRequest(`subject_token_type ${type} is not supported`);
    }
  }

  async function accessToken(ctx, sub, gty) {
    const { client, params } = ctx.oidc;
    const grant = new oidc.Grant({ accountId: sub, clientId: client.clientId });
    const scope = params.scope ?? '';
    const resource = params.resource ?? params.audience;
    if (resource) grant.addResourceScope(resource, scope);
    else grant.addOIDCScope(scope);
    const token = new oidc.AccessToken({ accountId: sub, client, grantId: await grant.save(), gty, scope });
    if (resource) {
      const server = new oidc.ResourceServer(resource, await resourceServer(ctx, resource, client));
      token.resourceServer = server;
      token.scope = scope.split(' ').filter((name) => server.scopes.has(name)).join(' ');
    }
    const value = await token.save();
    return { access_token: value, token_type: token.tokenType, expires_in: token.expiration, scope: token.scope || undefined };
  }

  oidc.registerGrantType(jwtBearer, async (ctx) => {
    const { sub } = await assertion(ctx.oidc.params.assertion, ctx);
    ctx.oidc.entity('Account', { accountId: sub });
    ctx.body = await accessToken(ctx, sub, 'jwt-bearer');
  }, ['assertion', 'scope', 'resource', 'audience'], ['resource', 'audience']);

  oidc.registerGrantType(tokenExchange, async (ctx) => {
    const sub = await subject(ctx);
    const wanted = ctx.oidc.params.requested_token_type?.replace(urn, '') ?? 'access_token';
    switch (wanted) {
      case 'jwt':
      case 'access_token':
        ctx.body = { ...await accessToken(ctx, sub, 'token-exchange'), issued_token_type: urn + wanted };
        break;
      case 'id_token': {
        const token = new oidc.IdToken({ sub }, { ctx });
        token.scope = 'openid';
        // RFC 8693 2.2.1: what is no access token has the type N_A.
        ctx.body = {
          access_token: await token.issue({ use: 'idtoken' }),
          issued_token_type: urn + wanted,
          token_type: 'N_A',
          expires_in: ttl.id,
        };
        break;
      }
      default:
        throw new errors.InvalidRequest(`requested_token_type ${wanted} is not supported`);
    }
  }, [
    'subject_token', 'subject_token_type', 'requested_token_type', 'actor_token', 'actor_token_type',
    'scope', 'resource', 'audience',
  ], ['resource', 'audience']);
}
