// The second address, which steers the provider:
//
//   POST /down, /up        closes the issuers' ports; opens the same ones again
//   POST /ttl?access=5     lifetimes in seconds: access, id, refresh, short
//   POST /fail?token=503   answers a path with a status; 0 ends it
//   POST /sign-out         ends every sign-in, as an administrator would
//   POST /withdraw?email=1 takes a scope back from everything that was granted
//   GET  /log              requests by path, what was asked and what was issued
import http from 'node:http';

export async function admin({ issuers, ttl, failing, recorder }) {
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, 'http://admin');
    const numbers = Object.fromEntries([...url.searchParams].map(([name, value]) => [name, Number(value)]));
    const each = (method) => Promise.all(issuers.map((issuer) => issuer[method]()));
    switch (`${request.method} ${url.pathname}`) {
      case 'POST /down':
        await each('down');
        break;
      case 'POST /up':
        await each('up');
        break;
      case 'POST /sign-out':
        for (const issuer of issuers) await issuer.signOut();
        break;
      case 'POST /withdraw':
        for (const issuer of issuers) await issuer.withdraw(Object.keys(numbers));
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
    const { requests, events, calls } = recorder;
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ requests, events, calls }));
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${server.address().port}`;
}
