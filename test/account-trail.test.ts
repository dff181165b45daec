import test from 'ava';
import { describeAddress } from '../src/account-centre/devices.ts';
import { belongsTo, byDay, joined, lineOf, mayBeShown } from '../src/account-centre/trail.ts';
import { canonicalEntry, type LedgerEntry } from '../src/ledger/entry.ts';
import type { EventType } from '../src/ledger/events.ts';
import type { TrailLine } from '../src/web/pages.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { documentOf, identifierOf } from './support/people.ts';
import { OFFLINE, ROOMY, refresh, tokensOf } from './support/portal-calls.ts';
import { authorizationPath, LI, PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';
import { signedToTheEnd, trailOf } from './support/trail.ts';

const PHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.50';
const BRISK = { ...ROOMY, ledger: { checkpointIntervalMs: 100 } } as const;

let server: TestServer;

test.before(async () => {
  server = await startServer(undefined, BRISK);
  await server.addPerson(LI);
});
test.after.always(() => server.stop());

const browserOf = (language: string): HttpBrowser =>
  server.browser({ accept: 'text/html', 'accept-language': language, 'user-agent': PHONE });

async function enterAccount(browser: HttpBrowser, { idNumber }: { readonly idNumber: string }): Promise<void> {
  await browser.get('/account');
  await browser.follow();
  if (!browser.page.text.includes('name="password"')) return;
  await browser.submit({ identifier: idNumber, password: PASSWORD }, '/identify');
  await browser.follow();
}

async function fail(browser: HttpBrowser, path: string, { idNumber }: { readonly idNumber: string }): Promise<void> {
  await browser.get(path);
  await browser.follow();
  await browser.submit({ identifier: idNumber, password: 'not the password' }, '/identify');
}

test('E9 a person reads in their own words which portal was opened, when, with what and from where', async (t) => {
  const id = await server.addPerson(WANG);
  const tax = await server.addPortal({ client_name: '税务大厅', 'client_name#en': 'Tax Hall' });
  const land = await server.addPortal({ client_name: '不动产登记' });
  const browser = browserOf('zh-CN');
  for (let attempt = 0; attempt < 5; attempt += 1) await fail(browser, authorizationPath(tax), WANG);
  const tokens = await tokensOf(server, tax, browser, OFFLINE);
  await refresh(server, tax, tokens.refresh_token);
  await tokensOf(server, land, browser);
  await server.house.database.write((tx) =>
    server.house.ledger.append(tx, {
      type: 'personal-data.released',
      personId: id,
      clientId: land.id,
      details: { claims: ['phone_number', 'id_number'] },
    }),
  );
  await signedToTheEnd(server);

  const lines = trailOf((await browser.get('/account/trail')).text);
  t.deepEqual(
    lines.map(({ what }) => what),
    [
      '“不动产登记”取得了您的信息',
      '以本人身份进入“不动产登记”',
      '同意“不动产登记”使用您的信息',
      '以本人身份进入“税务大厅”',
      '同意“税务大厅”使用您的信息',
      '在新设备上登录成功',
      '有人尝试登录 5 次，均未成功',
      '设置了新密码',
      '开通账户',
    ],
    'tokens and refreshes are between machines',
  );
  const [released, entered, consented] = lines;
  t.deepEqual(released?.facts, ['内容：手机号码、证件号码']);
  t.is(consented?.facts[0], '内容：身份确认、基本资料', 'and nothing that no person can read');
  t.deepEqual(entered?.facts, ['微信 · iPhone · 127.0.0.1']);
  t.regex(entered?.time ?? '', /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+08:00$/);
  t.deepEqual(
    lines.filter(({ report }) => report === undefined).map(({ what }) => what),
    ['开通账户'],
  );
  t.is((browser.page.text.match(/class="trail-day"/g) ?? []).length, 1);
  t.true(browser.page.text.includes('今天'));

  const english = trailOf((await browser.get('/account/trail?lang=en')).text).map(({ what }) => what);
  t.true(english.includes('Somebody tried to sign in 5 times, without success'));
  t.true(english.includes('Opened “Tax Hall” as yourself'));
  t.true(english.includes('Opened “不动产登记” as yourself'), 'a portal without an English name keeps its own');
  t.regex(browser.page.text, /Today <time datetime="\d{4}-\d{2}-\d{2}">/);
});

test('E9 a person reads which documents and sign-in names came and went, and never a number', async (t) => {
  const id = await server.addPerson({ idNumber: '339900197809230034', name: '周建国' });
  const other = await server.addPerson({ idNumber: '339900196505120042', name: '吴秀英' });
  const { persons, identifiers } = server.house;
  const asked = { origin: 'test', verifiedBy: 'one_time_code' };
  const permit = await persons.addDocument(
    id,
    { document: documentOf('hm_travel_permit', 'H12345678'), proof: { level: 1 } },
    asked,
  );
  await persons.removeDocument(id, permit.ok ? permit.id : '', asked);
  await identifiers.bind(id, identifierOf('user_name', 'jian.guo'), asked);
  await identifiers.bind(id, identifierOf('phone', '13800000000'), asked);
  await identifiers.bind(other, identifierOf('phone', '13800000000'), asked);
  await identifiers.release(id, 'user_name', asked);
  await signedToTheEnd(server);
  const browser = browserOf('zh-CN');
  await enterAccount(browser, { idNumber: '339900197809230034' });
  const page = (await browser.get('/account/trail')).text;
  const told = trailOf(page).map(({ what, facts }) => [what, facts[0]]);
  for (const line of [
    ['解除了一个登录名', '内容：用户名'],
    ['一个登录名已由他人验证使用，不再用于您的账户', '内容：手机号码'],
    ['绑定了新的登录名', '内容：手机号码'],
    ['移除了证件', '内容：港澳居民来往内地通行证'],
    ['添加了证件', '内容：港澳居民来往内地通行证'],
  ])
    t.true(
      told.some((one) => one[0] === line[0] && one[1] === line[1]),
      `${line} in ${JSON.stringify(told)}`,
    );
  t.true(
    told.some(([what]) => what === '已向您发送通知'),
    'and that they were told',
  );
  for (const secret of ['13800000000', '12345678', 'jian.guo']) t.false(page.includes(secret), secret);
});

test('V39 E9 nobody reads or reports what happened to somebody else, signed in or not', async (t) => {
  const own = await startServer(t, BRISK);
  const [wang] = [await own.addPerson(WANG), await own.addPerson(LI)];
  const portal = await own.addPortal({ client_name: '只属于王小明的门户' });
  await own.signIn(own.browser(), portal);
  await signedToTheEnd(own);
  const browser = own.browser();
  await enterAccount(browser, LI);
  await signedToTheEnd(own);
  t.false((await browser.get('/account/trail')).text.includes('只属于王小明的门户'));
  const [theirs] = await own.house.ledgerReader.subjectEntries(wang, undefined, 1);
  const mine = trailOf(browser.page.text).find(({ report }) => report !== undefined)?.report ?? '';
  t.is((await browser.get(mine)).status, 200);
  const form_token = hiddenField(browser.page);
  for (const entry of [String(theirs?.seq), '999999', '0', '']) {
    t.is((await browser.get(`/account/not-me?entry=${entry}`)).status, 404, `entry ${entry}`);
  }
  t.is((await browser.post('/account/not-me', { form_token, entry: String(theirs?.seq) })).status, 404);
  for (const path of ['/account/trail', `/account/not-me?entry=${theirs?.seq}`]) {
    const page = await own.browser().get(path);
    t.is(page.status, 303);
    t.true(new URL(page.location ?? '').pathname === '/auth', path);
  }
  t.is((await own.events('person.frozen')).length, 0);
});

test('E9 a long trail is read page by page, forth and back, and nothing is left out or told twice', async (t) => {
  const own = await startServer(t, BRISK);
  const id = await own.addPerson(WANG);
  const { ledger, database } = own.house;
  const write = (type: EventType, count: number, named = false) =>
    database.write(async (tx) => {
      for (let n = 0; n < count; n += 1) {
        await ledger.append(tx, { type, personId: id, clientId: named ? `portal-${n}` : 'machine' });
      }
    });
  await write('consent.withdrawn', 130, true);
  await write('token.issued', 10_100);
  const browser = own.browser();
  await enterAccount(browser, WANG);
  await signedToTheEnd(own);

  const link = (text: string, rel: 'prev' | 'next') =>
    new RegExp(`rel="${rel}" href="([^"]+)"`).exec(text)?.[1]?.replaceAll('&amp;', '&');
  const pages: { readonly address: string; readonly seqs: readonly string[] }[] = [];
  for (let address: string | undefined = '/account/trail'; address !== undefined; ) {
    const page = await browser.get(address);
    t.is(page.status, 200);
    t.true(trailOf(page.text).length <= 50);
    pages.push({ address, seqs: trailOf(page.text).map(({ what }) => what) });
    address = link(page.text, 'next');
  }
  t.deepEqual(
    pages.map(({ seqs }) => seqs.length),
    [50, 50, 34],
    'tokens of a whole day hide nothing',
  );
  const withdrawn = pages.flatMap(({ seqs }) => seqs).filter((what) => what.includes('portal-'));
  t.deepEqual(
    withdrawn,
    Array.from({ length: 130 }, (_, n) => `撤回对“portal-${129 - n}”的授权`),
  );
  const back: string[] = [];
  for (let address: string | undefined = pages.at(-1)?.address; address !== undefined; ) {
    back.unshift(address);
    address = link((await browser.get(address)).text, 'prev');
  }
  t.deepEqual(
    back.map((address) => address.replace(/&.*/, '')),
    pages.map(({ address }) => address.replace(/&.*/, '')),
  );
  const account = await browser.get('/account');
  t.is(trailOf(account.text).length, 10);
  await write('consent.withdrawn', 20);
  await signedToTheEnd(own);
  t.is(trailOf((await browser.get('/account')).text).length, 10, 'the account shows the newest');
  t.true(account.text.includes('href="/account/trail"'));
  for (const query of ['before=x', 'before=-1', 'before=1e3', "before=1'--", `newer=${'1.'.repeat(900)}`]) {
    t.is((await browser.get(`/account/trail?${query}`)).status, 200, query);
  }
});

test('E9 what was erased is missing from a line, and the line stays', async (t) => {
  const own = await startServer(t, BRISK);
  const id = await own.addPerson(WANG);
  const browser = own.browser({ accept: 'text/html', 'accept-language': 'zh-CN', 'user-agent': PHONE });
  await enterAccount(browser, WANG);
  await signedToTheEnd(own);
  const before = trailOf((await browser.get('/account/trail')).text);
  t.true(before.some(({ facts }) => facts.includes('微信 · iPhone · 127.0.0.1')));
  await own.house.database.write((tx) => own.house.openings.erase(tx, id));
  const after = trailOf((await browser.get('/account/trail')).text);
  t.deepEqual(
    after.map(({ what }) => what),
    before.map(({ what }) => what),
  );
  t.deepEqual(
    after.flatMap(({ facts }) => facts),
    [],
  );
});

const NOON = Date.UTC(2026, 6, 3, 4) / 1000;
const entryAt = (at: number, type: EventType, data: LedgerEntry['data'] = {}): LedgerEntry => ({
  v: 1,
  ts: new Date(at * 1000).toISOString(),
  node: 'n1',
  type,
  outcome: 'success',
  actor: 'psn_a',
  subject: 'psn_a',
  client: null,
  ip: null,
  ua: null,
  corr: null,
  data,
});
const rawLine = (at: number, type: EventType, data: LedgerEntry['data'] = {}, ip = '') =>
  lineOf(at, entryAt(at, type, data), ip === '' ? {} : { ip })!;

test('refused attempts in a row are one line of their day, with every one of a flood counted', (t) => {
  const newest = rawLine(NOON, 'sign-in.refused', { reason: 'mismatch' }, '10.0.0.1');
  const flood = rawLine(
    NOON - 60,
    'sign-in.refused',
    { repeated: 40, since: new Date((NOON - 600) * 1000).toISOString() },
    '10.0.0.2',
  );
  t.true(belongsTo(newest, flood));
  t.like(joined(newest, flood), {
    count: 41,
    at: NOON,
    since: NOON - 600,
    addresses: ['10.0.0.1', '10.0.0.2'],
    seq: NOON,
  });
  t.false(belongsTo(newest, rawLine(NOON - 13 * 3600, 'sign-in.refused')), 'that was before midnight in Beijing');
  t.false(belongsTo(newest, rawLine(NOON - 1, 'sign-in.succeeded')));
  const ended = (at: number) => rawLine(at, 'session.ended', { cause: 'person_frozen' });
  t.true(belongsTo(ended(NOON), ended(NOON - 2)));
  t.false(belongsTo(ended(NOON), ended(NOON - 3600)));
  const out = (at: number) => rawLine(at, 'session.ended', { cause: 'signed_out' });
  t.false(belongsTo(out(NOON), out(NOON - 1)), 'what a person does, they did each time');
});

test('a trail is divided by the days of Beijing, today and yesterday by their names', (t) => {
  const at = (moment: number): TrailLine => ({
    ...rawLine(moment, 'sign-in.succeeded'),
    portal: '',
    principal: '',
    device: '',
    address: '',
    addressCount: 0,
  });
  const midnight = NOON - 12 * 3600;
  const days = byDay([at(NOON), at(midnight), at(midnight - 1), at(midnight - 86_401)], NOON + 3600);
  t.deepEqual(
    days.map(({ relative, lines }) => [relative, lines.length]),
    [
      ['today', 2],
      ['yesterday', 1],
      [undefined, 1],
    ],
  );
});

test('entries between machines are known by their text alone, others are never missed', (t) => {
  for (const [type, shown] of [
    ['token.issued', false],
    ['logout.delivered', false],
    ['portal.entered', true],
    ['person.frozen', true],
  ] as const) {
    t.is(mayBeShown(canonicalEntry(entryAt(NOON, type, { error: '"type":"portal.entered","ua":null,"v":1}' }))), shown);
    t.is(rawLineOrNone(type), shown);
  }
  t.true(mayBeShown('{"something":"else"}'));
});

const rawLineOrNone = (type: EventType): boolean => lineOf(1, entryAt(NOON, type), {}) !== undefined;

test('an address is short enough to compare', (t) => {
  for (const [address, shown] of [
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::1', '::1'],
    ['2408:8207:1234:5678:9abc:def0:1111:2222', '2408:8207:1234:5678::'],
    ['2408:8207::9', '2408:8207:0:0::'],
    ['fe80::1%eth0', 'fe80:0:0:0::'],
    ['no address', 'no address'],
    ['', ''],
  ] as const) {
    t.is(describeAddress(address), shown);
  }
});
