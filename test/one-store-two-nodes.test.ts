import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import test from 'ava';
import { createBrowser, type HttpBrowser } from './support/http-client.ts';
import { freshPlace, type Place, startProduct, tongban } from './support/product.ts';
import {
  authorizationPath,
  freePort,
  PASSWORD,
  REDIRECT_URI,
  startServer,
  type TestPortal,
  WANG,
} from './support/server.ts';

const DEMO_PASSWORD = 'one-login-for-all';

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`X1 X7 whoever signs in while their server ends by ${signal} and is started anew goes on where they were`, async (t) => {
    const place = await freshPlace(t);
    const env = { TONGBAN_DEMO_PORTALS: 'false' };
    const product = await startProduct(t, place, env);
    const portal = await addPortal(place);
    const browser = createBrowser(product.issuer);
    await browser.get(authorizationPath(portal));
    await browser.follow();
    await product.end(signal);
    await startProduct(t, place, env);
    await browser.submit({ identifier: WANG.idNumber, password: DEMO_PASSWORD }, '/identify');
    await browser.follow();
    t.is(browser.page.status, 200);
    t.true(browser.page.text.includes('/consent"'), 'the question that comes after the password');
  });
}

test('X7 of two nodes on one file each goes on with what began at the other: one may take the place of the other', async (t) => {
  const first = await startServer(t);
  await first.addPerson(WANG);
  const portal = await first.addPortal();
  const port = await freePort();
  await startServer(t, { dataDir: first.dataDir, issuer: first.issuer, port });
  const browser = first.browser();
  await browser.get(authorizationPath(portal));
  await browser.follow();
  const page = await postAt(port, browser, { identifier: WANG.idNumber, password: PASSWORD });
  t.is(page.status, 303);
  t.regex(page.location ?? '', /\/interaction\//, 'on to the consent');
});

/** Sends the form of the browser's last page to another node, as a proxy in front of both would. */
async function postAt(
  port: number,
  browser: HttpBrowser,
  entered: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly location: string | undefined }> {
  const [, form = ''] = /<form[^>]*action="([^"]*\/identify)"/.exec(browser.page.text) ?? [];
  const [, formToken = ''] = /name="form_token" value="([^"]*)"/.exec(browser.page.text) ?? [];
  const body = new URLSearchParams({ form_token: formToken, ...entered }).toString();
  const { host, origin } = new URL(browser.page.url);
  const cookie = browser
    .cookies()
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ');
  const headers = {
    host,
    origin,
    cookie,
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': String(body.length),
  };
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: form, method: 'POST', headers }, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode ?? 0, location: answer.headers.location });
    })
      .once('error', reject)
      .end(body);
  });
}

async function addPortal({ dataDir, port }: Place): Promise<TestPortal> {
  const file = join(dataDir, 'portal.json');
  await writeFile(
    file,
    JSON.stringify({ client_name: '测试门户', redirect_uris: [REDIRECT_URI], scope: 'openid profile' }),
  );
  const env = { TONGBAN_PROFILE: 'demo', TONGBAN_DATA_DIR: dataDir, TONGBAN_PORT: String(port) };
  const added = await tongban(['client', 'add', file, '--json'], env);
  if (added.code !== 0) throw new Error(added.stderr);
  const { client_id: id, client_secret: secret } = JSON.parse(added.stdout) as Record<string, string>;
  return { id: id!, secret: secret! };
}
