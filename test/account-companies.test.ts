import test from 'ava';
import { endOfDay } from '../src/account-centre/companies/mandate-cards.ts';
import { turnClock } from '../src/shared/clock.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { LI, PASSWORD, startServer, WANG } from './support/server.ts';
import { signedToTheEnd, trailOf } from './support/trail.ts';

const CHEN = { idNumber: '449900200002290028', name: '陈雨桐' } as const;
const COMPANY = { uscc: '91339900MA9X01014C', name: '示例数字科技有限公司' } as const;
const LIST = '/account/companies';

test.afterEach.always(() => turnClock(0));

/** A server where one portal deals with matters of companies. */
async function office(t: Parameters<typeof startServer>[0]) {
  const server = await startServer(t, { ledger: { checkpointIntervalMs: 100 } });
  const portal = await server.addPortal({
    client_id: 'business-start-up',
    client_name: '企业开办',
    accepts_subjects: ['natural', 'legal'],
  });
  const enter = async (person: { readonly idNumber: string; readonly name: string }) => {
    const id = await server.addPerson(person);
    const browser = server.browser();
    await browser.get('/account');
    await browser.follow();
    await browser.submit({ identifier: person.idNumber, password: PASSWORD }, '/identify');
    await browser.follow();
    return { id, browser };
  };
  return { server, portal, enter };
}

async function claim(browser: HttpBrowser, company: { uscc: string; name: string } = COMPANY): Promise<Page> {
  await browser.get(`${LIST}/claim`);
  return browser.submit(company, `${LIST}/claim`);
}

/** The page of the company just claimed. */
const pageOf = (claimed: Page): string => new URL(claimed.location ?? '').pathname;

async function grant(browser: HttpBrowser, page: string, fields: Record<string, string> = {}): Promise<Page> {
  await browser.get(`${page}/grant`);
  const agent = { agentName: CHEN.name, agentNumber: CHEN.idNumber };
  return browser.submit({ ...agent, 'matter.tax': 'yes', ...fields }, '/grant');
}

/** Presses the button of an act on the first mandate of a page. */
async function act(browser: HttpBrowser, page: string, what: string): Promise<Page> {
  await browser.get(page);
  const pressed = await browser.submit({}, `/account/mandates/${what}`);
  await browser.follow();
  return pressed;
}

const wrongAt = (page: Page, field: string): boolean =>
  new RegExp(`<input id="${field}"[^>]*aria-invalid="true"`).test(page.text) &&
  page.text.includes(`id="${field}-problem"`);

test.serial(
  'F3 a representative claims a company, names an agent, who accepts and is revoked; every step is told',
  async (t) => {
    const { server, portal, enter } = await office(t);
    const wang = await enter(WANG);
    const claimed = await claim(wang.browser);
    t.is(claimed.status, 303);
    const page = pageOf(claimed);
    await wang.browser.follow();
    t.true(wang.browser.page.text.includes(COMPANY.uscc) && wang.browser.page.text.includes('法定代表人'));
    const granted = await grant(wang.browser, page);
    t.is(granted.location, `${server.issuer}${page}?done=granted`);
    await wang.browser.follow();
    t.true(wang.browser.page.text.includes('等待接受'));
    t.false(wang.browser.page.text.includes(CHEN.idNumber), 'F6 the number is masked from now on');

    const chen = await enter(CHEN);
    t.true((await chen.browser.get('/account')).text.includes('有 1 份代办邀请'));
    await act(chen.browser, LIST, 'accept');
    t.true(chen.browser.page.text.includes('已接受'));
    const [subject] = await server.house.acting.subjectsOf(chen.id, portal.id);
    t.like(subject, { kind: 'legal', role: 'agent', uscc: COMPANY.uscc });
    await server.signIn(chen.browser, portal, { query: { acting_as: COMPANY.uscc } });
    const history = await wang.browser.get(`${page}/history`);
    t.true(history.text.includes(CHEN.name) && history.text.includes('企业开办') && history.text.includes('经办人'));

    await act(wang.browser, page, 'suspend');
    t.deepEqual(await server.house.acting.subjectsOf(chen.id, portal.id), []);
    await act(wang.browser, page, 'resume');
    await act(wang.browser, page, 'revoke');
    t.true(wang.browser.page.text.includes('授权已结束'));
    t.deepEqual(await server.house.acting.subjectsOf(chen.id, portal.id), []);
    t.false((await chen.browser.get(LIST)).text.includes(COMPANY.name));
    for (const type of ['granted', 'accepted', 'suspended', 'resumed', 'revoked'])
      t.is((await server.events(`mandate.${type}`)).length, 1, type);
    await signedToTheEnd(server);
    const toldTo = async (browser: HttpBrowser) =>
      trailOf((await browser.get('/account/trail')).text).map(({ what }) => what);
    const agent = await toldTo(chen.browser);
    for (const what of [
      `接受了“${COMPANY.name}”的代办授权`,
      `代表“${COMPANY.name}”进入“企业开办”`,
      `“${COMPANY.name}”给您的代办授权已结束`,
    ])
      t.true(agent.includes(what), `${what} in ${agent.join()}`);
    t.true((await toldTo(wang.browser)).includes(`认领企业“${COMPANY.name}”`));
  },
);

test.serial(
  'who represents a company is not to be found out, and every mistake of a claim is told at its field',
  async (t) => {
    const { server, enter } = await office(t);
    const { browser } = await enter(LI);
    const refusals = new Set<string>();
    for (const [company, field] of [
      [{ uscc: '91339900MA9X01014O', name: COMPANY.name }, 'uscc'],
      [{ uscc: '91339900MA9X01014D', name: COMPANY.name }, 'uscc'],
      [{ uscc: '', name: COMPANY.name }, 'uscc'],
      [{ uscc: COMPANY.uscc, name: '   ' }, 'name'],
    ] as const) {
      const page = await claim(browser, company);
      t.is(page.status, 400);
      t.true(wrongAt(page, field), JSON.stringify(company));
    }
    for (const name of [COMPANY.name, '示例随便有限公司']) {
      const page = await claim(browser, { uscc: COMPANY.uscc, name });
      t.is(page.status, 400);
      refusals.add(/role="alert"[\s\S]*?<p>([^<]+)</.exec(page.text)?.[1] ?? '');
    }
    const both = await claim(browser, { uscc: '9133', name: ' ' });
    t.true(wrongAt(both, 'uscc') && wrongAt(both, 'name'), 'two mistakes are told at once');
    t.is(refusals.size, 1);
    t.true([...refusals][0]?.includes('未能认领'));
    t.deepEqual(await server.house.legalPersons.list(), []);
  },
);

test.serial(
  'V39 F1 nobody looks at, changes or ends what is not theirs, and cannot tell whether it is there',
  async (t) => {
    const { server, enter } = await office(t);
    const wang = await enter(WANG);
    const page = pageOf(await claim(wang.browser));
    await grant(wang.browser, page);
    const li = await enter(LI);
    const [mandate] = await server.house.mandates.ofCompany(page.split('/').at(-1) ?? '');
    const token = hiddenField(await li.browser.get('/account/sessions'));
    for (const address of [page, `${page}/grant`, `${page}/history`, `${LIST}/lgp_000000000000000000000000`])
      t.is((await li.browser.get(address)).status, 404, address);
    t.is((await li.browser.get(`/account/mandates/${mandate?.id}/renew`)).status, 404);
    for (const what of ['accept', 'decline', 'revoke', 'suspend', 'resume']) {
      for (const id of [mandate?.id ?? '', 'mdt_000000000000000000000000']) {
        const answer = await li.browser.post(`/account/mandates/${what}`, { form_token: token, id });
        t.is(answer.status, 404, `${what} ${id}`);
      }
    }
    const appoint = { form_token: token, name: LI.name, idNumber: LI.idNumber };
    t.is((await li.browser.post(`${page}/appoint`, appoint)).status, 404);
    t.is((await server.house.mandates.find(mandate?.id ?? ''))?.status, 'invited');
  },
);

test.serial(
  'an administrator is appointed, grants, cannot appoint, and is dismissed; a stranger is not told from a wrong name',
  async (t) => {
    const { server, enter } = await office(t);
    const wang = await enter(WANG);
    const page = pageOf(await claim(wang.browser));
    const li = await enter(LI);
    const appoint = async (name: string, idNumber: string) => {
      await wang.browser.get(page);
      return wang.browser.submit({ name, idNumber }, '/appoint');
    };
    t.true(wrongAt(await appoint(LI.name, '33990019850701009'), 'idNumber'));
    const [wrong, unknown] = [await appoint('李四', LI.idNumber), await appoint('孙丽', '339900199906300064')];
    const said = (answer: Page) => /role="alert"[\s\S]*?<p>([^<]+)</.exec(answer.text)?.[1];
    t.truthy(said(wrong));
    t.is(said(wrong), said(unknown));
    t.is((await appoint(LI.name, LI.idNumber)).status, 303);
    t.is((await li.browser.get(page)).status, 200);
    t.false(li.browser.page.text.includes('/appoint"'), 'an administrator appoints nobody');
    t.is((await grant(li.browser, page)).status, 303);
    await wang.browser.get(page);
    t.is((await wang.browser.submit({}, '/dismiss')).status, 303);
    t.is((await li.browser.get(page)).status, 404);
    t.is((await server.events('post.ended')).length, 1);
  },
);

test.serial(
  'a mandate without matters, with a bad date or to oneself is refused at its field, and nothing typed is lost',
  async (t) => {
    const { server, enter } = await office(t);
    const wang = await enter(WANG);
    const page = pageOf(await claim(wang.browser));
    for (const [fields, told] of [
      [{ 'matter.tax': 'no' }, undefined],
      [{ until: '2020-01-01' }, 'until'],
      [{ until: '2026-02-31' }, 'until'],
      [{ until: '2099-01-01' }, 'until'],
      [{ agentName: '' }, 'agentName'],
      [{ agentNumber: '449900200002290029' }, 'agentNumber'],
      [{ agentName: WANG.name, agentNumber: WANG.idNumber }, 'agentNumber'],
      [{ agentName: '示例远航物流有限公司', agentNumber: '91339900MA9X010302' }, 'agentNumber'],
    ] as const) {
      const answer = await grant(wang.browser, page, fields as Record<string, string>);
      t.is(answer.status, 400, JSON.stringify(fields));
      if (told !== undefined) {
        t.true(wrongAt(answer, told), `${told}: ${JSON.stringify(fields)}`);
        t.regex(answer.text, /name="matter\.tax"[^>]*checked/, 'the tick is still there');
      }
    }
    await wang.browser.get(`${page}/grant`);
    const nothing = await wang.browser.submit({ agentName: CHEN.name, agentNumber: CHEN.idNumber }, '/grant');
    t.true(nothing.text.includes('id="matters-problem"'));
    t.deepEqual(await server.events('mandate.granted'), []);
  },
);

test.serial('D15 granting with an old proof asks for a new one and keeps the whole form, ticks included', async (t) => {
  const { server, enter } = await office(t);
  const wang = await enter(WANG);
  const page = pageOf(await claim(wang.browser));
  const form = await wang.browser.get(`${page}/grant`);
  turnClock(301_000);
  const fields = {
    form_token: hiddenField(form),
    agentName: CHEN.name,
    agentNumber: CHEN.idNumber,
    until: new Date(Date.now() + 20 * 86_400_000).toISOString().slice(0, 10),
    'matter.tax': 'yes',
  };
  await wang.browser.post(`${page}/grant`, fields);
  await wang.browser.submit({ password: PASSWORD }, '/account/prove');
  t.is((await server.events('mandate.granted')).length, 0);
  t.is((await wang.browser.submit({}, '/grant')).status, 303);
  t.is((await server.events('mandate.granted')).length, 1);
  t.is((await wang.browser.get(`${page}/grant`)).status, 200);
});

test.serial(
  'F3 an agent passes a part on where the company allowed it, once, and it ends with their own',
  async (t) => {
    const { server, portal, enter } = await office(t);
    const wang = await enter(WANG);
    const page = pageOf(await claim(wang.browser));
    await grant(wang.browser, page, { 'matter.company-changes': 'yes', mayDelegate: 'yes' });
    const chen = await enter(CHEN);
    await act(chen.browser, LIST, 'accept');
    const li = await enter(LI);
    const link =
      /href="(\/account\/mandates\/mdt_[\w-]+\/pass-on)"/.exec((await chen.browser.get(LIST)).text)?.[1] ?? '';
    t.is((await li.browser.get(link)).status, 404, 'V39 nobody else has this page');

    const form = await chen.browser.get(link);
    t.true(form.text.includes('税务办理') && form.text.includes(COMPANY.name));
    t.false(form.text.includes('name="matter.social-insurance"'), 'no more than one has oneself');
    t.false(form.text.includes('name="mayDelegate"'));
    const agent = { agentName: LI.name, agentNumber: LI.idNumber };
    const none = await chen.browser.submit(agent, '/pass-on');
    t.is(none.status, 400, 'without a matter');
    t.true(none.text.includes(`value="${LI.name}"`));
    const beyond = await chen.browser.submit({ ...agent, 'matter.social-insurance': 'yes' }, '/pass-on');
    t.is(beyond.status, 400, 'a matter slipped into the form');
    const passed = await chen.browser.submit({ ...agent, 'matter.tax': 'yes' }, '/pass-on');
    t.is(passed.location, `${server.issuer}${LIST}?done=granted`);

    await act(li.browser, LIST, 'accept');
    const [subject] = await server.house.acting.subjectsOf(li.id, portal.id);
    t.like(subject, { role: 'agent', uscc: COMPANY.uscc, mandate: { matters: ['tax'] } });
    t.false((await li.browser.get(LIST)).text.includes('/pass-on"'), 'not passed on again');
    await act(chen.browser, LIST, 'revoke');
    t.deepEqual(await server.house.acting.subjectsOf(li.id, portal.id), []);
  },
);

test.serial('a person asks a relative to act for them, extends it and takes it back', async (t) => {
  const { server, enter } = await office(t);
  const wang = await enter(WANG);
  const chen = await enter(CHEN);
  await wang.browser.get(`${LIST}/relative`);
  t.false(wang.browser.page.text.includes('name="ceiling"'));
  const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
  const granted = await wang.browser.submit(
    { agentName: CHEN.name, agentNumber: CHEN.idNumber, 'matter.tax': 'yes', until: day(5) },
    `${LIST}/relative`,
  );
  t.is(granted.location, `${server.issuer}${LIST}?done=granted`);
  await act(chen.browser, LIST, 'accept');
  const [mandate] = await server.house.mandates.ofRepresented(wang.id);
  t.like(mandate, { status: 'active', kind: 'relative', agentPersonId: chen.id });
  await wang.browser.get(`/account/mandates/${mandate?.id}/renew?back=${LIST}`);
  t.true(wrongAt(await wang.browser.submit({ until: day(2) }, '/renew'), 'until'));
  t.is((await wang.browser.submit({ until: day(20) }, '/renew')).location, `${server.issuer}${LIST}?done=renew`);
  t.is((await server.house.mandates.find(mandate?.id ?? ''))?.validUntil, endOfDay(day(20)));
  t.is((await chen.browser.get(`/account/mandates/${mandate?.id}/renew`)).status, 404, 'the agent does not extend');
  await act(chen.browser, LIST, 'revoke');
  t.is((await server.house.mandates.find(mandate?.id ?? ''))?.status, 'revoked');
});

test('a day ends with its last second in Beijing, and what is no day is none', (t) => {
  t.is(endOfDay('2026-01-01'), Date.parse('2026-01-01T15:59:59Z') / 1000);
  for (const text of ['', '2026-02-30', '2026-13-01', '01/02/2026', '2026-1-1', 'tomorrow', '9999999999'])
    t.is(endOfDay(text), undefined, text);
});
