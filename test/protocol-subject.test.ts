import test from 'ava';
import type { ActingUse } from '../src/legal-persons/acting.ts';
import { Fault } from '../src/shared/fault.ts';
import { BRIDGES, ListedActing, mandateOf, STRANGERS, TEA } from './support/acting.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { answerOf, arrive, introspect, payloadOf, postAs, ROOMY, refresh, userinfo } from './support/portal-calls.ts';
import {
  authorizationPath,
  callbackOf,
  LI,
  PASSWORD,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import { allTold, oneTold } from './support/told-events.ts';

const acting = new ListedActing();
const CHILD = { kind: 'natural', role: 'guardian', personId: 'psn_child', name: '王小小' } as const;
const BOTH = { accepts_subjects: ['natural', 'legal'] };
const COMPANIES = { accepts_subjects: ['legal'] };
const OFFLINE_CONSENT = { scope: 'openid profile offline_access', prompt: 'consent' };

let server: TestServer;
let wang: string;
let tea: string;
let bridges: string;

test.before(async () => {
  server = await startServer(undefined, ROOMY, { acting });
  wang = await server.addPerson(WANG);
  await server.addPerson(LI);
  tea = acting.add(wang, TEA);
  bridges = acting.add(wang, BRIDGES, { mandate: mandateOf('mdt_bridges') });
});
test.after.always(() => server.stop());

type Claims = Record<string, unknown>;

async function go(browser: HttpBrowser, portal: TestPortal, query: Record<string, string> = {}): Promise<string> {
  await browser.get(authorizationPath(portal, query));
  await arrive(server, browser);
  return browser.page.text;
}

const isAsked = ({ page }: HttpBrowser): boolean => page.text.includes('/choose-subject"');

async function enter(
  portal: TestPortal,
  actingAs: string,
  query: Record<string, string> = {},
  browser = server.browser(),
): Promise<{ readonly browser: HttpBrowser; readonly body: Claims; readonly id: Claims }> {
  const callback = await server.signIn(browser, portal, { actingAs, query });
  const { body } = await server.token(portal, redemption(callback));
  return { browser, body, id: payloadOf(body.id_token) };
}

/** What a portal learns of one token, in every place where it may look. */
async function everywhere(portal: TestPortal, body: Claims): Promise<readonly Claims[]> {
  const seen = [payloadOf(body.id_token), await introspect(server, portal, body.access_token)];
  seen.push((await (await userinfo(server, body.access_token)).json()) as Claims);
  if (body.refresh_token !== undefined) seen.push(await introspect(server, portal, body.refresh_token));
  return seen;
}

test('F3 a person with companies is asked once, after the password and before consent, and the portal learns for whom', async (t) => {
  const portal = await server.addPortal(BOTH);
  const browser = server.browser();
  await go(browser, portal);
  t.false(isAsked(browser));
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  t.true(isAsked(browser), 'after the password');
  for (const shown of ['本人', TEA.name, BRIDGES.name, '法定代表人', '经办人', '91**************70']) {
    t.true(browser.page.text.includes(shown), shown);
  }
  t.false(browser.page.text.includes(TEA.uscc), 'the code is masked');
  await browser.submit({ acting_as: bridges }, '/choose-subject');
  await arrive(server, browser);
  t.true(browser.page.text.includes('/consent"'));
  t.true(browser.page.text.includes(BRIDGES.name), 'consent says for whom');
  await browser.submit({ decision: 'allow' }, '/consent');
  await arrive(server, browser);
  const { body } = await server.token(portal, redemption(callbackOf(browser.page)));
  const { sub } = payloadOf(body.id_token);
  for (const claims of await everywhere(portal, body)) {
    t.like(claims, { sub, act: { sub } });
    const { id, mandate, ...company } = claims.legal_person as Claims & { mandate: Claims };
    t.deepEqual(company, { uscc: BRIDGES.uscc, name: BRIDGES.name, category: '91', role: 'agent' });
    t.like(mandate, { matters: ['tax', 'company-changes'], valid_until: 4_000_000_000 });
    t.false(JSON.stringify([id, mandate.id]).match(/lgp_|mdt_/) !== null, 'ids are of this sector');
  }
  t.like(await oneTold('subject.chosen', { client: portal.id }, server), {
    subject: wang,
    data: { origin: 'page', legalPerson: BRIDGES.legalPersonId, role: 'agent', mandate: 'mdt_bridges' },
  });
  t.like(await oneTold('portal.entered', { client: portal.id }, server), {
    data: { legalPerson: BRIDGES.legalPersonId, role: 'agent', mandate: 'mdt_bridges' },
  });
  t.deepEqual(
    acting.uses.filter(({ clientId }) => clientId === portal.id).map(({ subject }) => subject.ref),
    [bridges],
  );
});

test('F3 B7 a portal of another sector knows person and company by other ids', async (t) => {
  const ids = async (): Promise<unknown[]> => {
    const sector = `s${Math.floor(performance.now() * 1000)}.example`;
    const portal = await server.addPortal({ ...BOTH, sector });
    const { id } = await enter(portal, bridges);
    const company = id.legal_person as Claims & { mandate: Claims };
    return [id.sub, company.id, company.mandate.id];
  };
  const [one, other] = [await ids(), await ids()];
  t.is(new Set([...one, ...other]).size, 6);
});

test('F3 who acts for themselves looks as before: no claim more, in no place', async (t) => {
  const portal = await server.addPortal(BOTH);
  const { body } = await enter(portal, 'self', OFFLINE_CONSENT);
  for (const claims of await everywhere(portal, body)) {
    t.is(claims.legal_person, undefined);
    t.is(claims.act, undefined);
    t.is(claims.represented_person, undefined);
  }
});

test('F3 the only answer needs no page', async (t) => {
  const single = await server.addPerson({ idNumber: '449900200002290028', name: '陈雨桐' });
  acting.add(single, TEA);
  const chen = { identifier: '449900200002290028' };
  const [people, companies] = [await server.addPortal(), await server.addPortal(COMPANIES)];
  for (const [portal, idNumber, company] of [
    [people, chen.identifier, undefined],
    [companies, chen.identifier, TEA.name],
    [await server.addPortal(BOTH), LI.idNumber, undefined],
  ] as const) {
    const browser = server.browser();
    await go(browser, portal);
    await browser.submit({ identifier: idNumber, password: PASSWORD }, '/identify');
    await arrive(server, browser);
    t.false(isAsked(browser));
    await browser.submit({ decision: 'allow' }, '/consent');
    await arrive(server, browser);
    const { body } = await server.token(portal, redemption(callbackOf(browser.page)));
    t.is((payloadOf(body.id_token).legal_person as Claims | undefined)?.name, company);
  }
});

test('F3 nobody to act for: the person is told why, and the portal hears access_denied', async (t) => {
  const portal = await server.addPortal(COMPANIES);
  const browser = server.browser();
  await go(browser, portal);
  await browser.submit({ identifier: LI.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  t.true(browser.page.text.includes('您目前没有可以代表的企业或个人'), browser.page.text.slice(0, 300));
  t.false(isAsked(browser));
  await browser.submit({}, '/cancel');
  await arrive(server, browser);
  t.is(answerOf(browser.page).get('error'), 'access_denied');
  await go(browser, portal, { prompt: 'none' });
  t.is(answerOf(browser.page).get('error'), 'access_denied', 'without a page too');
});

test('F3 prompt=none with an open choice is interaction_required, and none once it is settled', async (t) => {
  const portal = await server.addPortal(BOTH);
  const elsewhere = await server.addPortal();
  const browser = server.browser();
  await server.signIn(browser, elsewhere);
  await go(browser, portal, { prompt: 'none' });
  t.is(answerOf(browser.page).get('error'), 'interaction_required');
  await enter(portal, tea, {}, browser);
  await go(browser, portal, { prompt: 'none' });
  t.truthy(answerOf(browser.page).get('code'));
});

test('F3 acting_as chooses without a page, in any writing of the code, pushed or not', async (t) => {
  const portal = await server.addPortal(BOTH);
  const { browser } = await enter(portal, 'self');
  const named = async (query: Record<string, string>) => {
    await go(browser, portal, query);
    const { body } = await server.token(portal, redemption(callbackOf(browser.page)));
    return (payloadOf(body.id_token).legal_person as Claims | undefined)?.name;
  };
  t.is(await named({ acting_as: TEA.uscc }), TEA.name);
  t.is(await named({ acting_as: BRIDGES.uscc.toLowerCase() }), BRIDGES.name);
  t.is(await named({ acting_as: `${TEA.uscc.slice(0, 8)}-${TEA.uscc.slice(8)}` }), TEA.name);
  t.is(await named({ acting_as: 'self' }), undefined);
  t.is(await named({ acting_as: TEA.uscc, prompt: 'none' }), TEA.name, 'silently too');
  const pushed = new URLSearchParams(authorizationPath(portal, { acting_as: BRIDGES.uscc }).split('?')[1]);
  const answer = await postAs(server, portal, '/request', Object.fromEntries(pushed));
  const { request_uri: requestUri } = (await answer.json()) as { request_uri: string };
  await browser.get(`/auth?${new URLSearchParams({ client_id: portal.id, request_uri: requestUri })}`);
  await arrive(server, browser);
  const { body } = await server.token(portal, redemption(callbackOf(browser.page)));
  t.is((payloadOf(body.id_token).legal_person as Claims).name, BRIDGES.name);
});

test('F3 acting_as tells nobody whose a company is: unknown and foreign ones lead to the same choice', async (t) => {
  const portal = await server.addPortal(BOTH);
  for (const identifier of [WANG.idNumber, LI.idNumber]) {
    const browser = server.browser();
    await server.signIn(browser, portal, { identifier });
    const pages: string[] = [];
    for (const code of [STRANGERS.uscc, '12330000470000013F']) {
      await go(browser, portal, { acting_as: code });
      t.true(isAsked(browser), code);
      pages.push(browser.page.text.replaceAll(/interaction\/[\w-]+|value="[\w.-]{40,}"/g, ''));
      await go(browser, portal, { acting_as: code, prompt: 'none' });
      t.is(answerOf(browser.page).get('error'), 'interaction_required', code);
    }
    t.is(new Set(pages).size, 1);
  }
});

test('F3 G5 acting_as that is neither self nor a code, or of a kind the portal does not accept, is the portal’s mistake', async (t) => {
  const [both, people, companies] = [
    await server.addPortal(BOTH),
    await server.addPortal(),
    await server.addPortal(COMPANIES),
  ];
  const browser = server.browser();
  for (const [portal, value] of [
    [both, 'x'],
    [both, 'SELF'],
    [both, `${TEA.uscc}0`],
    [both, '9'.repeat(5000)],
    [both, tea],
    [both, "' OR 1=1 --"],
    [people, TEA.uscc],
    [companies, 'self'],
  ] as const) {
    await go(browser, portal, { acting_as: value });
    t.is(answerOf(browser.page).get('error'), 'invalid_request', value.slice(0, 30));
  }
  const pushed = new URLSearchParams(authorizationPath(both, { acting_as: 'x' }).split('?')[1]);
  t.is((await postAs(server, both, '/request', Object.fromEntries(pushed))).status, 400);
});

test('F3 A22 an edited answer, a step out of order and another browser are refused and on record', async (t) => {
  const foreign = acting.add(await server.addPerson({ idNumber: '339900199203170021', name: '赵雅琴' }), STRANGERS);
  const portal = await server.addPortal(BOTH);
  const browser = server.browser();
  await go(browser, portal);
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  const { url, text } = browser.page;
  for (const value of [foreign, 'pst_nobody', STRANGERS.uscc, '__proto__']) {
    const answer = await browser.submit({ acting_as: value }, '/choose-subject');
    t.is(answer.status, 409, value);
    t.true(answer.text.includes('请重新选择'));
    t.false(answer.text.includes(STRANGERS.name));
  }
  t.is((await browser.submit({ acting_as: '' }, '/choose-subject')).status, 400);
  await browser.get(url);
  t.is((await browser.submit({ acting_as: 'self', form_token: 'forged' }, '/choose-subject')).status, 403);

  const token = /name="form_token" value="([^"]+)"/.exec(text)?.[1] ?? '';
  const other = server.browser();
  t.is((await other.post(`${url}/choose-subject`, { form_token: token, acting_as: 'self' })).status, 400);

  // At the consent page nothing is to be chosen any more.
  await browser.get(url);
  await browser.submit({ acting_as: tea }, '/choose-subject');
  await arrive(server, browser);
  t.true(browser.page.text.includes('/consent"'));
  const late = /name="form_token" value="([^"]+)"/.exec(browser.page.text)?.[1] ?? '';
  t.is(
    (await browser.post(`${browser.page.url}/choose-subject`, { form_token: late, acting_as: bridges })).status,
    400,
  );
  const reasons = (await allTold(server, 'subject.refused')).map(({ data }) => (data as Claims).reason);
  for (const reason of ['not_theirs', 'elsewhere', 'out_of_order']) t.true(reasons.includes(reason), reason);
  t.false(JSON.stringify(await server.events('subject.refused')).includes(STRANGERS.uscc));
});

test('F3 the session keeps the choice at this portal, select_account asks again, another portal asks for itself', async (t) => {
  const [portal, sibling] = [await server.addPortal(BOTH), await server.addPortal(BOTH)];
  const { browser } = await enter(portal, tea);
  t.is(((await enter(portal, 'unasked', {}, browser)).id.legal_person as Claims).name, TEA.name);
  t.is((await allTold(server, 'subject.chosen', { client: portal.id })).length, 1, 'kept is not chosen again');
  await go(browser, sibling);
  t.true(isAsked(browser));
  t.is(browser.page.text.includes('name="password"'), false, 'and for no password');
  await go(browser, portal, { prompt: 'select_account' });
  await browser.submit({ decision: 'continue' }, '/continue-as');
  await arrive(server, browser);
  t.true(isAsked(browser));
  await browser.submit({ acting_as: 'self' }, '/choose-subject');
  await arrive(server, browser);
  const { body } = await server.token(portal, redemption(callbackOf(browser.page)));
  t.is(payloadOf(body.id_token).legal_person, undefined);
  t.is((await enter(portal, 'unasked', {}, browser)).id.legal_person, undefined, 'oneself is kept as well');
});

test('F3 switching ends what was granted for the one before, and never touches another session', async (t) => {
  const portal = await server.addPortal(BOTH);
  const [here, there] = [await enter(portal, tea, OFFLINE_CONSENT), await enter(portal, tea, OFFLINE_CONSENT)];
  const switched = await enter(portal, 'unasked', { ...OFFLINE_CONSENT, acting_as: BRIDGES.uscc }, here.browser);
  t.is((switched.id.legal_person as Claims).name, BRIDGES.name);
  t.is((await userinfo(server, here.body.access_token)).status, 401);
  t.deepEqual(await introspect(server, portal, here.body.access_token), { active: false });
  t.is((await refresh(server, portal, here.body.refresh_token)).status, 400);
  t.is((await userinfo(server, there.body.access_token)).status, 200);
  const renewed = await refresh(server, portal, there.body.refresh_token);
  t.is((payloadOf(renewed.body.id_token).legal_person as Claims).name, TEA.name, 'refresh keeps the choice');
  t.is(switched.id.sid, here.id.sid, 'it is the same session');
  const back = await enter(portal, 'unasked', { ...OFFLINE_CONSENT, acting_as: 'self' }, here.browser);
  t.is(back.id.legal_person, undefined);
  t.is((await refresh(server, portal, switched.body.refresh_token)).status, 400);
});

test('F3 who turns back at consent has switched nothing: what was granted before goes on', async (t) => {
  const portal = await server.addPortal(BOTH);
  const before = await enter(portal, tea, { scope: 'openid' });
  await go(before.browser, portal, { acting_as: BRIDGES.uscc, scope: 'openid identity' });
  t.true(before.browser.page.text.includes('/consent"'));
  await before.browser.submit({ decision: 'deny' }, '/consent');
  await arrive(server, before.browser);
  t.is(answerOf(before.browser.page).get('error'), 'access_denied');
  t.is((await userinfo(server, before.body.access_token)).status, 200);
  for (const [query, error] of [
    [{ scope: 'openid identity' }, 'consent_required'],
    [{ max_age: '0' }, 'login_required'],
  ] as const) {
    await go(before.browser, portal, { acting_as: BRIDGES.uscc, prompt: 'none', ...query });
    t.is(answerOf(before.browser.page).get('error'), error);
    t.is((await userinfo(server, before.body.access_token)).status, 200, error);
  }
  const kept = await enter(portal, 'unasked', { scope: 'openid' }, before.browser);
  t.is((kept.id.legal_person as Claims).name, TEA.name);
});

test('F3 two companies in two browsers at once never mix', async (t) => {
  const portal = await server.addPortal(BOTH);
  const sides = await Promise.all([tea, bridges].map((ref) => enter(portal, ref, OFFLINE_CONSENT)));
  const names = async ({ body }: { body: Claims }) =>
    (await everywhere(portal, body)).map(({ legal_person: company }) => (company as Claims).name);
  for (let round = 0; round < 3; round += 1) {
    const again = await Promise.all(sides.map(({ browser }) => enter(portal, 'unasked', OFFLINE_CONSENT, browser)));
    const [teas, bridgesSeen] = await Promise.all(again.map(names));
    t.deepEqual([...new Set(teas)], [TEA.name]);
    t.deepEqual([...new Set(bridgesSeen)], [BRIDGES.name]);
  }
});

test('F3 a represented person: the sub stays who signed in, the name is whole for portals that may know names', async (t) => {
  const guardian = { idNumber: '339900196505120042', name: '吴秀英' };
  const ref = 'mdt_child';
  acting.put(await server.addPerson(guardian), {
    ...CHILD,
    ref,
    mandate: mandateOf('mdt_child', { matters: ['health-cover'] }),
  });
  const accepts = { accepts_subjects: ['natural', 'represented'] };
  const [named, modest] = [await server.addPortal(accepts), await server.addPortal({ ...accepts, scope: 'openid' })];
  for (const [portal, scope, shown] of [
    [named, 'openid profile', { name: CHILD.name }],
    [named, 'openid', { name_masked: '*小小' }],
    [modest, 'openid', { name_masked: '*小小' }],
  ] as const) {
    const callback = await server.signIn(server.browser(), portal, {
      identifier: guardian.idNumber,
      actingAs: ref,
      query: { scope },
    });
    const { body } = await server.token(portal, redemption(callback));
    for (const claims of await everywhere(portal, body)) {
      const { sub, mandate, ...person } = claims.represented_person as Claims;
      t.deepEqual(person, { ...shown, relation: 'guardian' });
      t.not(sub, claims.sub);
      t.deepEqual(claims.act, { sub: claims.sub });
      t.like(mandate, { matters: ['health-cover'] });
      t.is(claims.legal_person, undefined);
    }
  }
});

test('F3 a portal never receives a subject it does not accept, not even after its record has changed', async (t) => {
  const portal = await server.addPortal(BOTH);
  const { browser, body } = await enter(portal, tea, OFFLINE_CONSENT);
  const { record } = (await server.house.relyingParties.inspect(portal.id))!;
  const changed = await server.house.relyingParties.update(
    portal.id,
    { ...record, accepts_subjects: ['natural'] },
    'test',
  );
  t.true(changed.ok);
  t.deepEqual(await introspect(server, portal, body.access_token), { active: false });
  t.is((await userinfo(server, body.access_token)).status, 401);
  t.is((await refresh(server, portal, body.refresh_token)).status, 400);
  const after = await enter(portal, 'unasked', {}, browser);
  t.is(after.id.legal_person, undefined);
  await server.house.relyingParties.update(portal.id, { ...record, accepts_subjects: ['legal'] }, 'test');
  t.deepEqual(await introspect(server, portal, after.body.access_token), { active: false }, 'nor oneself');
});

test('C6 what a portal asks for by the claims parameter changes nothing about for whom', async (t) => {
  const portal = await server.addPortal(BOTH);
  const claims = JSON.stringify({ id_token: { legal_person: { essential: true } }, userinfo: { act: null } });
  const callback = await server.signIn(server.browser(), portal, { query: { claims, scope: 'openid' } });
  const { body } = await server.token(portal, redemption(callback));
  t.is(payloadOf(body.id_token).legal_person, undefined);
});

test('C5 a mandate with a ceiling states no more than that, however the person has signed in', async (t) => {
  const zheng = { idNumber: '339900200408150054', name: '郑浩然' };
  const personId = await server.addPerson(zheng);
  const free = acting.add(personId, TEA);
  acting.add(personId, BRIDGES, { mandate: mandateOf('mdt_capped', { acrMax: 'urn:tongban:acr:1' }) });
  const portal = await server.addPortal(BOTH);
  const browser = server.browser();
  await server.signIn(browser, await server.addPortal(), { identifier: zheng.idNumber });
  const own = await enter(portal, free, {}, browser);
  t.is(own.id.acr, 'urn:tongban:acr:2');
  const less = await enter(portal, 'unasked', { acting_as: BRIDGES.uscc }, browser);
  t.is(less.id.acr, 'urn:tongban:acr:1');
});

test('many companies: a search without script and pages of twenty', async (t) => {
  const idNumber = '339900197809230034';
  const person = await server.addPerson({ idNumber, name: '周建国' });
  for (let at = 1; at <= 45; at += 1) {
    acting.add(person, TEA, { name: `第${at}号公司`, mandate: mandateOf(`mdt_${at}`) });
  }
  const portal = await server.addPortal(BOTH);
  const browser = server.browser();
  await go(browser, portal);
  await browser.submit({ identifier: idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  const shown = (): number => browser.page.text.split('class="subject"').length - 1;
  t.is(shown(), 21, 'oneself and twenty');
  const { url } = browser.page;
  await browser.get(`${url}?page=3`);
  t.true(browser.page.text.includes('第45号公司'));
  await browser.get(`${url}?${new URLSearchParams({ q: '第7号' })}`);
  t.is(shown(), 2);
  for (const query of ['?page=-1', '?page=x', '?q=a&q=b', `?q=${'x'.repeat(500)}`, '?page=99999']) {
    t.is((await browser.get(url + query)).status, 200, query);
  }
  await browser.get(`${url}?q=nothing-like-it`);
  t.true(browser.page.text.includes('没有找到'));
  await browser.submit({ acting_as: 'self' }, '/choose-subject');
  await arrive(server, browser);
  t.true(browser.page.text.includes('/consent"'), 'oneself can be chosen from any page of the list');
});

test('F3 a mandate that ends on the way in: no code, a calm page, and the choice once more', async (t) => {
  class Ending extends ListedActing {
    ended = false;
    override async noteUse(tx: unknown, use: ActingUse): Promise<void> {
      if (this.ended) throw new Fault('acting_ended');
      await super.noteUse(tx, use);
    }
  }
  const ending = new Ending();
  const own = await startServer(t, ROOMY, { acting: ending });
  const person = await own.addPerson(WANG);
  const ref = ending.add(person, TEA);
  const portal = await own.addPortal(BOTH);
  const browser = own.browser();
  await own.signIn(browser, portal, { actingAs: ref });
  ending.ended = true;
  await browser.get(authorizationPath(portal, { acting_as: 'self' }));
  const rowsBefore = await own.house.database.all('SELECT * FROM grant_subjects', []);
  const answer = await browser.get(authorizationPath(portal, { acting_as: TEA.uscc }));
  t.is(answer.status, 403);
  t.is(answer.location, undefined, 'the code that was never written does not leave');
  t.true(answer.text.includes('1430'));
  t.deepEqual(await own.house.database.all('SELECT * FROM grant_subjects', []), rowsBefore);
  t.like(await oneTold('subject.refused', {}, own), { subject: person, client: portal.id, data: { reason: 'ended' } });
  ending.remove(ref);
  await browser.get(authorizationPath(portal, { acting_as: TEA.uscc }));
  await arrive(own, browser);
  t.true(isAsked(browser));
});
