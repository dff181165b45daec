import test from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';

const LIST = '/account/companies';
const PDF = Buffer.from('%PDF-1.7 a certificate of this test');
const ASSOCIATION = { uscc: '51330000500000015H', name: '示例文学社' } as const;
const CSV_HEAD = '姓名,证件号码,事项,截止日期\n';

test.afterEach.always(() => turnClock(0));

async function signedIn(t: Parameters<typeof startServer>[0]) {
  const server = await startServer(t, { legalPersons: { evidenceFileBytesMax: 2048 } });
  const portal = { client_id: 'business-start-up', accepts_subjects: ['natural', 'legal'] };
  await server.addPortal(portal);
  const id = await server.addPerson(WANG);
  const browser = server.browser();
  await browser.get('/account');
  await browser.follow();
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await browser.follow();
  return { server, id, browser };
}

interface Sent {
  readonly status: number;
  readonly location: string | null;
  readonly text: string;
}

/** Sends a form with files from this browser. */
async function upload(
  server: TestServer,
  browser: HttpBrowser,
  path: string,
  fields: Readonly<Record<string, string>>,
  files: readonly (readonly [field: string, name: string, content: Uint8Array])[],
  headers: Record<string, string> = {},
): Promise<Sent> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const [field, name, content] of files) form.append(field, new Blob([Buffer.from(content)]), name);
  const answer = await fetch(server.issuer + path, {
    method: 'POST',
    redirect: 'manual',
    body: form,
    headers: {
      accept: 'text/html',
      cookie: browser
        .cookies()
        .map(({ name, value }) => `${name}=${value}`)
        .join('; '),
      ...headers,
    },
  });
  return { status: answer.status, location: answer.headers.get('location'), text: await answer.text() };
}

test.serial(
  'F3 a company no register can judge is claimed with evidence, and the claim can be withdrawn',
  async (t) => {
    const { server, id, browser } = await signedIn(t);
    const page = await browser.get(`${LIST}/review`);
    const fields = { form_token: hiddenField(page), ...ASSOCIATION, note: '附登记证书' };
    const send = (files: Parameters<typeof upload>[4], over: Record<string, string> = {}) =>
      upload(server, browser, `${LIST}/review`, { ...fields, ...over }, files);
    for (const [files, over, at, status] of [
      [[], {}, 'files', 400],
      [[['files', 'a.exe', Buffer.from('MZ')]], {}, 'files', 400],
      [[['files', 'a.pdf', Buffer.concat([PDF, Buffer.alloc(3000)])]], {}, 'files', 413],
      [Array(6).fill(['files', 'a.pdf', PDF]), {}, 'files', 413],
      [[['files', 'a.pdf', PDF]], { uscc: '51330000500000015I' }, 'uscc', 400],
      [[['files', 'a.pdf', PDF]], { name: ' ' }, 'name', 400],
    ] as const) {
      const answer = await send(files as Parameters<typeof upload>[4], over as Record<string, string>);
      t.is(answer.status, status, `${at} ${JSON.stringify(over)}`);
      t.regex(answer.text, new RegExp(`id="${at}-problem"`), at);
    }
    const sent = await send([['files', '证书.pdf', PDF]]);
    t.is(sent.status, 303);
    t.is(sent.location, `${LIST}?done=submitted`);
    const [claim] = await server.house.legalPersons.claimsOf(id);
    t.is(claim?.status, 'pending');
    t.is((await server.house.legalPersons.showClaim(claim?.id ?? ''))?.files.length, 1);
    t.true((await send([['files', 'a.pdf', PDF]])).text.includes('正在审核中'));
    t.true((await browser.get(LIST)).text.includes('审核中'));
    t.is((await browser.submit({}, '/review/withdraw')).status, 303);
    t.is((await server.house.legalPersons.claimsOf(id))[0]?.status, 'withdrawn');
  },
);

test.serial(
  'E2 D15 an upload counts only from our own page, with a fresh proof, from somebody who is signed in',
  async (t) => {
    const { server, id, browser } = await signedIn(t);
    const page = await browser.get(`${LIST}/review`);
    const fields = { form_token: hiddenField(page), ...ASSOCIATION, note: '' };
    const files = [['files', 'a.pdf', PDF]] as const;
    const path = `${LIST}/review`;
    t.is((await upload(server, browser, path, fields, files, { origin: 'https://evil.cn' })).status, 403);
    t.is((await upload(server, browser, path, { ...fields, form_token: 'x' }, files)).status, 403);
    t.is((await upload(server, browser, path, { ...fields, person_id: 'x' }, files)).status, 400);
    t.is((await upload(server, server.browser(), path, fields, files)).status, 400);
    turnClock(301_000);
    const stale = await upload(server, browser, path, fields, files);
    t.is(stale.location, `/account/prove?next=${encodeURIComponent(path)}`);
    t.deepEqual(await server.house.legalPersons.claimsOf(id), []);
  },
);

test.serial('many agents are tried first and granted together, or not at all', async (t) => {
  const { server, browser } = await signedIn(t);
  await browser.get(`${LIST}/claim`);
  const claimed = await browser.submit({ uscc: '91339900MA9X01014C', name: '示例数字科技有限公司' }, '/claim');
  const path = `${new URL(claimed.location ?? '').pathname}/import`;
  const page = await browser.get(path);
  const run = (csv: string, what: 'try' | 'grant') =>
    upload(server, browser, path, { form_token: hiddenField(page), run: what }, [['file', 'a.csv', Buffer.from(csv)]]);
  const granted = async () => (await server.events('mandate.granted')).length;

  const empty = await upload(server, browser, path, { form_token: hiddenField(page), run: 'try' }, []);
  t.regex(empty.text, /id="file-problem"/);
  const bad = await run(`${CSV_HEAD}陈雨桐,449900200002290029,tax,\n孙丽,339900199906300064,magic,\n`, 'grant');
  t.is(bad.status, 400);
  t.true(bad.text.includes('role="alert"') && bad.text.includes('<td class="number">2</td>'));
  t.is(await granted(), 0);
  const good = `${CSV_HEAD}陈雨桐,449900200002290028,tax,\n孙丽,339900199906300064,tax,\n`;
  const tried = await run(good, 'try');
  t.is(tried.status, 200);
  t.true(tried.text.includes('可以发出 2 份邀请'));
  t.is(await granted(), 0, 'a trial grants nothing');
  t.true((await run(good, 'grant')).text.includes('已发出 2 份邀请'));
  t.is(await granted(), 2);
  t.true((await run(good, 'grant')).text.includes('2 行已有同样的授权'));
  t.is(await granted(), 2);
});
