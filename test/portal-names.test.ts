import test from 'ava';
import { shownName } from '../src/relying-parties/relying-party.ts';
import { authorizationPath, PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';

const NAMES = { client_name: '省图书馆', 'client_name#en': 'Provincial Library' } as const;
const LANGUAGES = [
  ['zh-CN', NAMES.client_name],
  ['en', NAMES['client_name#en']],
] as const;

let server: TestServer;

test.before(async () => {
  server = await startServer(undefined);
  await server.addPerson(WANG);
});
test.after.always(() => server.stop());

test('a page names a portal in its own language, and by the one name it has where there is no other', (t) => {
  t.is(shownName(NAMES, 'en'), 'Provincial Library');
  t.is(shownName(NAMES, 'zh-CN'), '省图书馆');
  t.is(shownName({ client_name: '省图书馆' }, 'en'), '省图书馆');
});

for (const [language, name] of LANGUAGES) {
  const other = LANGUAGES.find(([, candidate]) => candidate !== name)?.[1] ?? '';

  test(`sign-in, consent, start page, account and sign-out call a portal ${name} in ${language}`, async (t) => {
    const portal = await server.addPortal({ ...NAMES, client_uri: 'https://portal.example/' });
    const browser = server.browser({ accept: 'text/html', 'accept-language': language });
    const shows = (page: string) => {
      t.true(browser.page.text.includes(name), page);
      t.false(browser.page.text.includes(other), page);
    };
    await browser.get(authorizationPath(portal));
    await browser.follow();
    shows('sign-in');
    await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
    await browser.follow();
    shows('consent');
    await browser.submit({ decision: 'allow' }, '/consent');
    await browser.follow((url) => url.origin !== server.issuer);
    for (const path of ['/', '/account', '/session/end', `/session/end?client_id=${portal.id}`]) {
      await browser.get(path);
      t.is(browser.page.status, 200, path);
      shows(path);
    }
  });
}

test('the portal’s own wish for a language counts for its name as for the page', async (t) => {
  const portal = await server.addPortal(NAMES);
  const browser = server.browser();
  await browser.get(authorizationPath(portal, { ui_locales: 'en' }));
  await browser.follow();
  t.is(browser.page.headers['content-language'], 'en');
  t.true(browser.page.text.includes(NAMES['client_name#en']));
});

test('a choice of language is remembered by one cookie, however often the page asks for it', async (t) => {
  const portal = await server.addPortal(NAMES);
  const browser = server.browser();
  await browser.get(authorizationPath(portal));
  await browser.follow();
  const page = await browser.get(`${browser.page.url}?lang=en`);
  t.true(page.text.includes(NAMES['client_name#en']));
  t.is(page.setCookies.filter((header) => header.startsWith('display=')).length, 1);
});
