// A person at a browser, scripted: opens the address it is given in a real
// headless Chromium, signs in and consents on the provider's own pages, waits
// for the page that the program shows at the end, and reports it.
//
//   node browser.mjs URL
//
// E2E_CHROMIUM  the browser's path
// E2E_REPORT    where to write the report: {"opened","url","title","heading","text","pages"}
// E2E_SCREENSHOT  where to write a picture of the last page
// E2E_USER      who signs in (alice), unless the page knows already
// E2E_USER_CODE the code that a device shows
// E2E_ACTION    login, deny (presses cancel), abandon (closes the window),
//               device (confirms the code), logout (confirms the sign-out),
//               elsewhere (signs in on a machine where the program's page
//               can't be loaded; the report has its address)
import fs from 'node:fs';
import { chromium } from 'playwright-core';

const [address] = process.argv.slice(2);
const env = process.env;
const action = env.E2E_ACTION || 'login';
let { origin } = new URL(address);

const browser = await chromium.launch({
  executablePath: env.E2E_CHROMIUM,
  args: [
    '--no-sandbox', // the tests may run as root
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
const pages = [];
let lost; // the address of the page that could not be loaded
let report;
let code = 1;
try {
  const context = await browser.newContext({ ignoreHTTPSErrors: env.E2E_TRUST_ANY === '1' });
  const page = await context.newPage();
  // The provider's sample pages ask for a font from the internet.
  await page.route(
    (url) => !['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname),
    (route) => route.abort(),
  );
  if (action === 'elsewhere') {
    // Redirects don't pass through routes, so they are caught a level below.
    const session = await context.newCDPSession(page);
    session.on('Fetch.requestPaused', async ({ requestId, responseHeaders }) => {
      const location = responseHeaders?.find((header) => header.name.toLowerCase() === 'location')?.value;
      if (location && new URL(location, address).origin !== origin) {
        lost = location;
        await session.send('Fetch.failRequest', { requestId, errorReason: 'ConnectionRefused' });
      } else {
        await session.send('Fetch.continueRequest', { requestId });
      }
    });
    await session.send('Fetch.enable', { patterns: [{ requestStage: 'Response' }] });
  }
  page.setDefaultTimeout(20_000);
  await page.goto(address);
  // A sign-out begins at the program, which sends on to the provider.
  if (action === 'logout') ({ origin } = new URL(page.url()));

  for (let step = 0; step < 8; step++) {
    await settled(page);
    const at = new URL(page.url());
    pages.push(`${at.origin === origin ? 'provider' : 'program'} ${at.pathname.replace(/[^/]{20,}/, '…')}`);
    if (at.origin !== origin || action === 'abandon') break;
    if (action === 'deny') {
      await follow(page, () => page.getByText('Cancel').click());
      continue;
    }
    const user = page.locator('input[name=login], input[name=username]');
    if (await user.count()) {
      if (!(await user.inputValue())) await user.fill(env.E2E_USER || 'alice');
      await page.fill('input[name=password]', env.E2E_PASSWORD || 'any');
    } else if (await page.locator('input[name=user_code][type=text]').count()) {
      await page.fill('input[name=user_code]', env.E2E_USER_CODE ?? '');
    } else if (!(await page.locator('button[type=submit]').count())) {
      break; // the provider's last page, after a sign-out or a device's code
    }
    await follow(page, () => page.locator('button[type=submit]').first().click()).catch((error) => {
      if (!lost) throw error;
    });
    if (lost) break;
  }
  // The page may replace its own address, to take the code out of it.
  if (!lost) await page.waitForLoadState('networkidle');
  report = {
    opened: address,
    url: lost ?? page.url(),
    title: await page.title(),
    heading: (await page.locator('h1').allInnerTexts()).join(' / '),
    text: await page.locator('body').innerText(),
    pages,
  };
  if (env.E2E_SCREENSHOT) await page.screenshot({ path: env.E2E_SCREENSHOT });
  code = 0;
} catch (error) {
  console.error(`browser: ${error.message}`);
} finally {
  await browser.close();
}
if (report && env.E2E_REPORT) {
  fs.writeFileSync(`${env.E2E_REPORT}.new`, JSON.stringify(report));
  fs.renameSync(`${env.E2E_REPORT}.new`, env.E2E_REPORT);
}
process.exit(code);

// settled waits until the page is there for a person: those of the form_post
// response mode and of a device's link send themselves on.
async function settled(page) {
  for (let tries = 0; tries < 100; tries++) {
    try {
      await page.waitForLoadState('load');
      if ((await page.title()) !== 'Submitting Callback') return;
    } catch (error) {
      if (!/context was destroyed|navigation/i.test(error.message)) throw error;
    }
    await page.waitForTimeout(50);
  }
}

// follow presses something and waits until the answer is another page.
async function follow(page, press) {
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), press()]);
}
