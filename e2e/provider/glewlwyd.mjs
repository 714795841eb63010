// A person at the login page of Glewlwyd, which is a script itself: signs in,
// grants every scope, goes on, and reports the program's page at the end. The
// environment is that of browser.mjs; without E2E_USER she keeps the name that
// the page has filled in.
import fs from 'node:fs';
import { chromium } from 'playwright-core';

const [address] = process.argv.slice(2);
const env = process.env;
const { origin } = new URL(address);

const browser = await chromium.launch({
  executablePath: env.E2E_CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
let report;
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(address);
  await page.waitForSelector('#username');
  if (env.E2E_USER) await page.fill('#username', env.E2E_USER);
  await page.fill('#password', env.E2E_PASSWORD);
  await page.click('#loginbut');
  await page.waitForSelector('text=Grant access');
  for (const box of await page.locator('input[id^=grant-]').all()) await box.check();
  await page.getByRole('button', { name: 'Grant access' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL((url) => url.origin !== origin);
  await page.waitForLoadState('networkidle');
  report = {
    url: page.url(),
    title: await page.title(),
    heading: (await page.locator('h1').allInnerTexts()).join(' / '),
    text: await page.locator('body').innerText(),
    pages: [],
  };
  if (env.E2E_SCREENSHOT) await page.screenshot({ path: env.E2E_SCREENSHOT });
} catch (error) {
  console.error(`browser: ${error.message}`);
} finally {
  await browser.close();
}
if (report && env.E2E_REPORT) {
  fs.writeFileSync(`${env.E2E_REPORT}.new`, JSON.stringify(report));
  fs.renameSync(`${env.E2E_REPORT}.new`, env.E2E_REPORT);
}
process.exit(report ? 0 : 1);
