// One issuer: a provider, the port that is part of its name, and for mutual TLS
// a second port that asks for client certificates.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';
import { configuration, resourceServer } from './configuration.mjs';
import { registerGrants } from './grants.mjs';
import { animate } from './people.mjs';

// Endpoints by their names in the metadata, at their default paths.
const paths = {
  token_endpoint: '/token',
  revocation_endpoint: '/token/revocation',
  introspection_endpoint: '/token/introspection',
  device_authorization_endpoint: '/device/auth',
  pushed_authorization_request_endpoint: '/request',
  userinfo_endpoint: '/me',
};

export class Issuer {
  #servers = []; // those that listen
  #doors = []; // {port, make}: what up opens
  #host;

  constructor({ host = '127.0.0.1', tls, strict = false, keys, signingKeys, publicKeys, trusted, ttl, failing, recorder }) {
    this.#host = host;
    Object.assign(this, { tls, strict, keys, signingKeys, publicKeys, trusted, ttl, failing, recorder });
  }

  // start opens the ports first, since the issuer is named after one.
  async start(port = 0) {
    const handle = (request, response) => this.#handle(request, response);
    const { tls } = this;
    if (tls) {
      const identity = { cert: fs.readFileSync(tls.cert), key: fs.readFileSync(tls.key) };
      this.#doors.push({ port, make: () => https.createServer(identity, handle) });
      const asking = { ...identity, requestCert: true, rejectUnauthorized: false, ca: tls.clientCA && fs.readFileSync(tls.clientCA) };
      this.#doors.push({ port: 0, make: () => https.createServer(asking, handle) });
    } else {
      this.#doors.push({ port, make: () => http.createServer(handle) });
    }
    await this.up();
    const [url, asking] = this.#doors.map((door) => `${tls ? 'https' : 'http'}://${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${door.port}`);
    this.url = url;
    const aliases = asking && Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, asking + path]));
    const { strict, keys, signingKeys, publicKeys, trusted, ttl } = this;
    const oidc = new Provider(url, configuration({ strict, aliases, ttl, keys, signingKeys }));
    registerGrants(oidc, { trusted, own: publicKeys, resourceServer: resourceServer(ttl), ttl });
    animate(oidc);
    this.recorder.watch(oidc);
    oidc.use(statesRefreshLifetime(ttl));
    this.oidc = oidc;
    this.callback = oidc.callback();
  }

  async up() {
    if (this.#servers.length) return;
    for (const door of this.#doors) {
      const server = door.make();
      this.#servers.push(server);
      await new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(door.port, this.#host, resolve);
      });
      door.port = server.address().port;
    }
  }

  async down() {
    const closing = this.#servers.splice(0);
    await Promise.all(closing.map((server) => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    })));
  }

  // signOut ends what was granted to everybody, as an administrator would.
  async signOut() {
    for (const id of this.recorder.grants) {
      await this.oidc.AccessToken.revokeByGrantId(id);
      await this.oidc.RefreshToken.revokeByGrantId(id);
      const grant = await this.oidc.Grant.find(id);
      await grant?.destroy();
    }
  }

  async withdraw(scopes) {
    for (const id of this.recorder.grants) {
      const grant = await this.oidc.Grant.find(id);
      grant?.rejectOIDCScope(scopes.join(' '));
      await grant?.save();
    }
  }

  #handle(request, response) {
    const { pathname } = new URL(request.url, 'http://provider');
    this.recorder.request(request.method, pathname);
    const status = this.failing[pathname.slice(1)];
    if (status) {
      response.writeHead(status, { 'content-type': 'text/plain' }).end('failing on purpose');
      return;
    }
    this.callback(request, response);
  }
}

// statesRefreshLifetime: some providers say for how long a refresh token lives,
// in a member that no standard has.
function statesRefreshLifetime(ttl) {
  return async (ctx, next) => {
    await next();
    if (ctx.oidc?.client?.clientId === 'short-lived' && ctx.body?.refresh_token) {
      ctx.body = { ...ctx.body, refresh_expires_in: ttl.short };
    }
  };
}
