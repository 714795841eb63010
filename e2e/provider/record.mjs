// What the provider was asked and what it did, for the tests to look at. No
// secret is kept: of those only the names.
const shown = [
  'acr_values', 'audience', 'claims', 'code_challenge_method', 'grant_type', 'login_hint', 'max_age',
  'post_logout_redirect_uri', 'prompt', 'redirect_uri', 'requested_token_type', 'resource', 'response_mode',
  'scope', 'subject_token_type', 'token_type_hint', 'ui_locales', 'x_extra',
];

export class Recorder {
  requests = {}; // "POST /token": how often
  events = []; // {event, kind, detail}
  calls = []; // one for each request that the provider had a route for
  grants = new Set(); // ids

  request(method, path) {
    const name = `${method} ${path.replace(/^\/(interaction|auth|device)\/.*/, '/$1/…')}`;
    this.requests[name] = (this.requests[name] ?? 0) + 1;
  }

  // watch records what one provider of the process does.
  watch(oidc) {
    for (const kind of ['access_token', 'refresh_token', 'authorization_code', 'client_credentials']) {
      for (const event of ['saved', 'issued', 'consumed', 'destroyed']) {
        oidc.on(`${kind}.${event}`, (token) => {
          this.events.push({ event, kind });
          if (token?.grantId) this.grants.add(token.grantId);
        });
      }
    }
    oidc.on('grant.revoked', (_ctx, grant) => this.events.push({ event: 'revoked', kind: 'grant', grant }));
    oidc.on('grant.error', (_ctx, error) => this.failed(error));
    for (const endpoint of ['authorization', 'pushed_authorization_request', 'device_authorization', 'userinfo', 'end_session']) {
      oidc.on(`${endpoint}.error`, (_ctx, error) => this.failed(error));
    }
    oidc.on('server_error', (_ctx, error) => console.error(error));
    oidc.use(async (ctx, next) => {
      await next();
      if (ctx.oidc?.route) this.calls.push(call(oidc, ctx));
    });
  }

  failed(error) {
    this.events.push({ event: 'error', kind: error.error, detail: error.error_detail ?? error.error_description });
  }
}

function call(oidc, ctx) {
  // Some endpoints take the client's authentication out of the parameters.
  const params = { ...ctx.oidc.body, ...ctx.oidc.params };
  const proof = jwt(ctx.get('dpop'));
  const assertion = jwt(params.client_assertion);
  return {
    issuer: oidc.issuer,
    host: ctx.host, // tells the ports of one issuer apart
    route: ctx.oidc.route,
    status: ctx.status,
    client: ctx.oidc.client?.clientId ?? '',
    auth: authentication(ctx, params),
    assertion: assertion && { alg: assertion.header.alg, kid: assertion.header.kid, aud: assertion.payload.aud },
    certificate: ctx.req.socket.getPeerX509Certificate?.()?.subject,
    proof: proof && { alg: proof.header.alg, nonce: Boolean(proof.payload.nonce), ath: Boolean(proof.payload.ath) },
    query: Object.keys(ctx.query), // what a person's browser history would keep
    sent: Object.keys(params).filter((name) => params[name] !== undefined),
    params: Object.fromEntries(shown.filter((name) => params[name] !== undefined).map((name) => [name, String(params[name])])),
    scope: ctx.oidc.route === 'token' ? ctx.body?.scope : undefined,
    error: typeof ctx.body === 'object' ? ctx.body?.error : undefined,
  };
}

// authentication says how a client proved who it is. The provider takes a
// secret in either place, so the registered method is no answer.
function authentication(ctx, params) {
  if (!ctx.oidc.client) return '';
  if (/^basic /i.test(ctx.get('authorization'))) return 'client_secret_basic';
  if (params.client_secret) return 'client_secret_post';
  if (params.client_assertion) return 'private_key_jwt';
  if (/tls_client_auth$/.test(ctx.oidc.client.clientAuthMethod)) return ctx.oidc.client.clientAuthMethod;
  return 'none';
}

function jwt(text) {
  const [header, payload] = (text ?? '').split('.');
  if (!payload) return undefined;
  const part = (s) => JSON.parse(Buffer.from(s, 'base64url').toString());
  try {
    return { header: part(header), payload: part(payload) };
  } catch {
    return undefined;
  }
}
