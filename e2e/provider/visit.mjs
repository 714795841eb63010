// A person at a browser, scripted without one: sends the forms of the provider's
// own pages as a browser would, and is done in a tenth of the time. browser.mjs
// is the real thing; this is for the tests that are not about pages.
//
//   node visit.mjs URL
//
// Takes the same variables and writes the same report as browser.mjs, for the
// actions login, deny, device, logout and elsewhere.
import fs from 'node:fs';

const [address] = process.argv.slice(2);
const env = process.env;
const action = env.E2E_ACTION || 'login';
let { origin } = new URL(address);
// A browser's cookies are of a host, whatever the port (RFC 6265 8.5).
const jar = new Map();
const pages = [];

if (env.E2E_TRUST_ANY === '1') process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

async function send(url, form) {
  const ours = new URL(url).origin === origin;
  const response = await fetch(url, {
    method: form ? 'POST' : 'GET',
    redirect: 'manual',
    headers: {
      accept: 'text/html',
      ...(ours && { cookie: [...jar].map((pair) => pair.join('=')).join('; ') }),
      ...(form && { origin, 'content-type': 'application/x-www-form-urlencoded' }),
    },
    body: form && new URLSearchParams(form).toString(),
  });
  for (const cookie of ours ? response.headers.getSetCookie() : []) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
    if (value) jar.set(name, value);
    else jar.delete(name);
  }
  return response;
}

const unescape = (text) => text.replace(/&(amp|lt|gt|quot|#39|#x27);/g, (_, name) => ({
  amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'",
})[name]);
const attribute = (tag, name) => {
  const found = new RegExp(`\\s${name}="([^"]*)"`).exec(tag);
  return found && unescape(found[1]);
};

// next is the page's form as a person fills it in, or the address to follow.
function next(html, url) {
  const cancel = /<a href="([^"]*)">\[ Cancel \]/.exec(html);
  if (action === 'deny' && cancel) return { url: new URL(unescape(cancel[1]), url).href };
  const tag = /<form[^>]*>/.exec(html);
  if (!tag) return undefined;
  const form = {};
  for (const [input] of html.matchAll(/<input[^>]*>/g)) {
    const name = attribute(input, 'name');
    if (name) form[name] = attribute(input, 'value') ?? '';
  }
  if ('login' in form) Object.assign(form, { login: form.login || env.E2E_USER || 'alice', password: 'any' });
  if ('user_code' in form && !form.user_code) form.user_code = env.E2E_USER_CODE ?? '';
  for (const [button] of html.matchAll(/<button[^>]*>/g)) {
    const name = attribute(button, 'name');
    if (name && name !== 'abort') {
      form[name] = attribute(button, 'value') ?? '';
      break;
    }
  }
  return { url: new URL(attribute(tag[0], 'action') ?? url, url).href, form };
}

let step = { url: address };
let report;
for (let count = 0; step && count < 30; count++) {
  const at = new URL(step.url);
  if (at.origin !== origin && action === 'elsewhere') {
    report = { opened: address, url: at.href, title: '', heading: '', text: '', pages };
    break;
  }
  const response = await send(step.url, step.form);
  const location = response.headers.get('location');
  if (location) {
    await response.body?.cancel();
    step = { url: new URL(location, step.url).href };
    // A sign-out begins at the program, which sends on to the provider.
    if (action === 'logout' && count === 0) ({ origin } = new URL(step.url));
    continue;
  }
  const html = await response.text();
  const path = at.pathname.replace(/[^/]{20,}/, '…');
  pages.push(`${at.origin === origin ? 'provider' : 'program'} ${path}`);
  const tags = (name) => [...html.matchAll(new RegExp(`<${name}[^>]*>([^]*?)</${name}>`, 'g'))].map((found) => found[1].trim()).join(' / ');
  report = {
    opened: address, url: at.href, title: tags('title'), heading: tags('h1'), text: tags('body').replace(/<[^>]*>/g, ' '), pages,
  };
  step = response.ok && at.origin === origin ? next(html, step.url) : undefined;
}
if (env.E2E_REPORT) {
  fs.writeFileSync(`${env.E2E_REPORT}.new`, JSON.stringify(report));
  fs.renameSync(`${env.E2E_REPORT}.new`, env.E2E_REPORT);
}
