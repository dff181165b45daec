import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import test from 'ava';
import { z } from 'zod';
import { turnClock } from '../src/shared/clock.ts';
import { createFormTokens, isForeignPost } from '../src/web/form-tokens.ts';
import { type FormOutcome, parseForm, readForm } from '../src/web/forms.ts';
import { type Language, machineTime, negotiateLanguage, showTime } from '../src/web/language.ts';
import { contentPolicy, formTarget, securityHeaders } from '../src/web/security-headers.ts';
import { htmlText, visibleText } from '../src/web/visible-text.ts';

const schema = z.strictObject({ identifier: z.string().max(64), password: z.string().max(256) });

test('language: the person before the portal, the portal before the browser, Chinese in doubt', (t) => {
  const cases: [Parameters<typeof negotiateLanguage>[0], Language][] = [
    [{}, 'zh-CN'],
    [{ acceptLanguage: 'fr, de;q=0.9' }, 'zh-CN'],
    [{ acceptLanguage: 'fr, en;q=0.4, zh-Hant;q=0.2' }, 'en'],
    [{ acceptLanguage: 'en;q=0.4, zh-TW;q=0.8' }, 'zh-CN'],
    [{ acceptLanguage: 'en;q=0' }, 'zh-CN'],
    [{ acceptLanguage: 'en;q=7' }, 'zh-CN'],
    [{ acceptLanguage: 'zh-CN', uiLocales: 'fr en-GB' }, 'en'],
    [{ uiLocales: 'en', chosen: 'zh-CN' }, 'zh-CN'],
    [{ uiLocales: 'english', chosen: '../../etc' }, 'zh-CN'],
    [{ acceptLanguage: `${'x,'.repeat(1000)}en` }, 'zh-CN'],
  ];
  for (const [wishes, expected] of cases)
    t.is(negotiateLanguage(wishes), expected, JSON.stringify(wishes).slice(0, 80));
});

test('V18 a million invented locales leave no memory behind', (t) => {
  const run = (from: number) => {
    for (let count = from; count < from + 500_000; count += 1)
      negotiateLanguage({ uiLocales: `x-${count}`, acceptLanguage: `y-${count};q=0.5` });
  };
  run(0);
  const before = process.memoryUsage().heapUsed;
  run(500_000);
  t.true(process.memoryUsage().heapUsed - before < 24 * 1024 * 1024, 'nothing but young garbage');
});

test('moments are shown in the time of Shanghai', (t) => {
  t.is(showTime(1_783_094_399, 'zh-CN'), '2026年7月3日 23:59');
  t.is(showTime(1_783_094_400, 'en'), '4 Jul 2026, 00:00');
  t.is(machineTime(1_783_094_400), '2026-07-04T00:00:00+08:00');
});

test('E5 the header set, and a form target that cannot smuggle a directive', (t) => {
  const headers = securityHeaders({ secure: true, formTargets: ['https://zwfw.example.cn'] });
  t.is(
    headers['content-security-policy'],
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; form-action 'self' https://zwfw.example.cn; frame-ancestors 'none'; base-uri 'none'",
  );
  t.is(headers['strict-transport-security'], 'max-age=31536000; includeSubDomains');
  t.is(headers['referrer-policy'], 'no-referrer');
  t.is(headers['x-content-type-options'], 'nosniff');
  t.is(headers['cross-origin-opener-policy'], 'same-origin');
  t.is(securityHeaders({ secure: false })['strict-transport-security'], undefined);
  t.is(formTarget('https://zwfw.example.cn:8443/cb?x=1'), 'https://zwfw.example.cn:8443');
  t.is(formTarget('cn.example.app:/callback'), 'cn.example.app:');
  for (const bad of [
    'javascript:alert(1)',
    'data:text/html,x',
    'not a url',
    "https://a.cn; script-src 'unsafe-inline'",
  ])
    t.is(formTarget(bad), undefined, bad);
  t.notRegex(contentPolicy(), /unsafe/);
});

function browser(cookie = '') {
  const sent: string[] = [];
  return { sent, get: () => cookie, append: (_field: string, value: string) => void sent.push(value) };
}

test.serial('E2 a form token serves one browser, one purpose and twelve hours', (t) => {
  const tokens = createFormTokens({ secret: Buffer.alloc(32, 7), secure: true });
  const visitor = browser();
  const name = tokens.browserOf(visitor);
  t.regex(visitor.sent[0]!, /^__Host-browser=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
  const back = browser(visitor.sent[0]!.split(';')[0]);
  t.is(tokens.browserOf(back), name);
  t.deepEqual(back.sent, []);

  const token = tokens.issue(name, 'interaction-1');
  t.true(tokens.accepts(token, name, 'interaction-1'));
  t.false(tokens.accepts(token, name, 'interaction-2'));
  t.false(tokens.accepts(token, tokens.browserOf(browser()), 'interaction-1'));
  t.false(tokens.accepts(token, undefined, 'interaction-1'));
  t.false(tokens.accepts(`${token.slice(0, -2)}AA`, name, 'interaction-1'));
  t.false(tokens.accepts(`zz${token}`, name, 'interaction-1'));
  t.false(tokens.accepts('', name, 'interaction-1'));
  const other = createFormTokens({ secret: Buffer.alloc(32, 8), secure: true });
  t.false(other.accepts(token, name, 'interaction-1'));
  turnClock(12 * 3600 * 1000 + 2000);
  t.false(tokens.accepts(token, name, 'interaction-1'));
  turnClock(-3600 * 1000);
  t.false(tokens.accepts(token, name, 'interaction-1'), 'nor one from the future');
  turnClock(0);
});

test('E1 a browser cookie of another form, or sent twice, is not adopted', (t) => {
  const tokens = createFormTokens({ secret: Buffer.alloc(32, 7), secure: false });
  for (const cookie of ['browser=short', `browser=${'a'.repeat(22)}; browser=${'b'.repeat(22)}`, 'browser=<script>'])
    t.is(tokens.knownBrowserOf(browser(cookie)), undefined, cookie);
  t.is(tokens.knownBrowserOf(browser(`a=1; browser=${'a'.repeat(22)}`)), 'a'.repeat(22));
});

test('E2 a post from another site is known by Origin and Sec-Fetch-Site', (t) => {
  const origin = 'https://id.example';
  t.false(isForeignPost({ origin, 'sec-fetch-site': 'same-origin' }, origin));
  t.false(
    isForeignPost({ origin: 'null', 'sec-fetch-site': 'same-origin' }, origin),
    'what no-referrer makes browsers send',
  );
  t.false(isForeignPost({}, origin), 'a browser that says nothing is left to the form token');
  t.true(isForeignPost({ origin: 'https://evil.example' }, origin));
  t.true(isForeignPost({ origin: 'http://id.example' }, origin));
  t.true(isForeignPost({ origin: 'null', 'sec-fetch-site': 'cross-site' }, origin));
  t.true(isForeignPost({ origin, 'sec-fetch-site': 'same-site' }, origin));
});

test('G6 G5 a form with doubled, unknown, too many or ill-formed fields is refused', (t) => {
  const good = parseForm('identifier=1%2B1&password=a+b%26', schema);
  t.deepEqual(good, { state: 'read', values: { identifier: '1+1', password: 'a b&' } });
  const malformed = ['identifier=1', 'identifier=1&identifier=1&password=x', 'identifier=1&password=x&admin=1'];
  malformed.push(
    'identifier=1&password=x&__proto__=1',
    'identifier=%ff&password=x',
    `identifier=${'1'.repeat(65)}&password=x`,
  );
  for (const body of malformed) t.is(parseForm(body, schema).state, 'malformed', body.slice(0, 50));
  t.is(parseForm('a=1&'.repeat(1000), schema).state, 'too_large');
  t.is(parseForm(`password=${'x'.repeat(60_000)}`, schema).state, 'too_large');
});

test('G6 over HTTP: other media types, huge and broken-off bodies have their own outcome', async (t) => {
  const outcomes: FormOutcome<z.infer<typeof schema>>['state'][] = [];
  const server = createServer(async (request, response) => {
    const { state } = await readForm(request, schema);
    outcomes.push(state);
    response.end(state);
    server.emit('outcome');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const post = async (type: string, body: string, extra: Record<string, string> = {}) =>
    (
      await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, headers: { 'content-type': type, ...extra } })
    ).text();
  const plain = 'application/x-www-form-urlencoded';
  t.is(await post(plain, 'identifier=1&password=%E5%AF%86'), 'read');
  t.is(await post(`${plain}; charset=UTF-8`, 'identifier=1&password=x'), 'read');
  t.is(await post(`${plain}; charset=gbk`, 'identifier=1&password=x'), 'malformed');
  t.is(await post('text/plain', 'identifier=1&password=x'), 'malformed');
  t.is(await post(plain, 'identifier=1&password=x', { 'content-encoding': 'gzip' }), 'malformed');
  t.is(await post(plain, `password=${'x'.repeat(58_000)}`), 'too_large');
  const inPieces = async (...pieces: readonly string[]) => {
    const body = new Blob([...pieces]).stream().pipeThrough(new TransformStream());
    const init = { method: 'POST', body, duplex: 'half', headers: { 'content-type': plain } } as RequestInit;
    return (await fetch(`http://127.0.0.1:${port}/`, init)).text();
  };
  t.is(await inPieces('identifier=1', '&password=', 'x'.repeat(200)), 'read', 'without a length');
  t.is(await inPieces(`identifier=1&password=${'x'.repeat(58_000)}`), 'too_large', 'without a length');

  const broken = connect(port, '127.0.0.1');
  broken.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Type: ${plain}\r\nContent-Length: 100\r\n\r\nidentifier=1`);
  server.once('request', () => setImmediate(() => broken.destroy()));
  await once(server, 'outcome');
  t.is(outcomes.at(-1), 'interrupted');
});

test('E7 unseen characters go, everything people really write stays', (t) => {
  t.is(visibleText('pay\u202epal\u200b\u2066\ufeff\u00ad\u{e0041}\u0000'), 'paypal');
  for (const name of ['王晓岚', '买买提·艾力', 'ئەلى', '𠮷野', 'Zoë O’Neill', '👩']) t.is(visibleText(name), name);
  t.is(htmlText(`<a href='x'>"&\`\u200f`), '&lt;a href=&#39;x&#39;&gt;&quot;&amp;&#96;');
});
