import test from 'ava';
import { counterDesk } from '../src/enrolment-doors.ts';
import { documentOfIdNumber } from '../src/people/id-number.ts';
import { codeFor, freshPhone, otherCode } from './support/enrolment.ts';
import { hiddenField } from './support/hidden-field.ts';
import { idNumberOf } from './support/people.ts';
import { freshPlace, startProduct, tongban } from './support/product.ts';
import { startServer, type TestServer, WANG } from './support/server.ts';
import { allTold, GOOD, oneTold } from './support/told-events.ts';

const CHEN = { idNumber: '449900200002290028', name: '陈雨桐' } as const;
const CARD = documentOfIdNumber(idNumberOf(CHEN.idNumber));
const PASSWORD = 'seven blue kites over the lake';

async function assisted(server: TestServer, phone: string): Promise<{ readonly draft: string; readonly code: string }> {
  const begun = await counterDesk(server.house).assist(
    { document: CARD, name: CHEN.name, phone: `+86${phone}` },
    'clerk',
  );
  if (begun.state !== 'waiting') throw new Error(begun.state);
  return { draft: begun.draft, code: await codeFor(server.issuer, phone) };
}

const findChen = (server: TestServer) => server.house.persons.findByIdNumber(CHEN.idNumber as never);

test('at a counter nothing exists until the person reads the code back, and the account then stands at level 4', async (t) => {
  const server = await startServer(t);
  const desk = counterDesk(server.house);
  const { draft, code } = await assisted(server, freshPhone());
  t.is(await findChen(server), undefined);
  t.deepEqual(await desk.confirm(draft, otherCode(code)), { state: 'mismatch' });
  t.deepEqual(await desk.confirm('enr_nothing', code), { state: 'unknown' });
  const confirmed = await Promise.all(Array.from({ length: 5 }, () => desk.confirm(draft, code)));
  t.is(confirmed.filter(({ state }) => state === 'opened').length, 1);
  const person = await findChen(server);
  t.is(person?.ial, 4);
  t.like(await oneTold('person.assisted', {}, server), { ...GOOD, subject: person!.id, data: { act: 'clerk' } });
  t.like(await oneTold('enrolment.advanced', {}, server), { data: { draft, step: 'confirm', act: 'clerk' } });
  t.like(await oneTold('person.added', {}, server), { data: { origin: 'counter', ial: 4 } });
  t.deepEqual(await desk.confirm(draft, code), { state: 'unknown' });
  t.deepEqual(await desk.assist({ document: CARD, name: CHEN.name, phone: '+8613900000000' }, 'clerk'), {
    state: 'exists',
  });
});

test('the person can confirm in a browser of their own, and chooses the password there', async (t) => {
  const server = await startServer(t);
  const { draft, code } = await assisted(server, freshPhone());
  const browser = server.browser();
  await browser.get('/register/confirm');
  await browser.submit({ idNumber: CHEN.idNumber, code }, '/register/confirm');
  t.is(browser.page.status, 303);
  await browser.follow();
  t.is(new URL(browser.page.url).pathname, '/register/password');
  const form = { form_token: hiddenField(browser.page), draft: hiddenField(browser.page, 'draft') };
  for (const [path, fields] of [
    ['/register', { name: WANG.name, idNumber: WANG.idNumber }],
    ['/register/phone', { phone: freshPhone() }],
  ] as const) {
    t.is(
      (await browser.post(path, { ...form, ...fields })).status,
      409,
      `what the counter saw is not changed: ${path}`,
    );
  }
  t.deepEqual(await counterDesk(server.house).confirm(draft, code), { state: 'unknown' }, 'it is in their hands now');
  await browser.get('/register/password');
  const done = await browser.submit({ password: PASSWORD, passwordAgain: PASSWORD }, '/register/password');
  t.is(done.status, 201);
  const portal = await server.addPortal();
  const callback = await server.signIn(server.browser(), portal, { identifier: CHEN.idNumber, password: PASSWORD });
  t.truthy(callback.searchParams.get('code'));
  t.is((await findChen(server))?.ial, 4);
  t.is((await allTold(server, 'person.assisted')).length, 1);
});

test('D9 D7 a stranger learns nothing at the page of confirmation, however often they try', async (t) => {
  const server = await startServer(t, { limits: { registrationsPerAddress: 1000 } });
  const { code } = await assisted(server, freshPhone());
  const guess = async (idNumber: string, guessed: string) => {
    const browser = server.browser();
    await browser.get('/register/confirm');
    return browser.submit({ idNumber, code: guessed }, '/register/confirm');
  };
  const bare = (text: string): string => text.replace(/ value="[^"]*"/g, '');
  const unknown = await guess(WANG.idNumber, otherCode(code));
  const pages = await Promise.all(Array.from({ length: 30 }, () => guess(CHEN.idNumber, otherCode(code))));
  for (const page of [...pages, await guess(CHEN.idNumber, code)]) {
    t.is(page.status, 400);
    t.is(bare(page.text), bare(unknown.text));
  }
  const strict = await startServer(t, { limits: { registrationsPerAddress: 1 } });
  const browser = strict.browser();
  await browser.get('/register/confirm');
  const fields = { idNumber: CHEN.idNumber, code: '000000', form_token: hiddenField(browser.page) };
  t.is((await browser.post('/register/confirm', fields)).status, 400);
  t.is((await browser.post('/register/confirm', fields)).status, 429);
});

test('a counter enrols from the command line beside the running server', async (t) => {
  const product = await startProduct(t, await freshPlace(t));
  const env = { TONGBAN_DATA_DIR: product.dataDir };
  const phone = freshPhone();
  const words = ['person', 'enrol', '--assist', '--id-number', CHEN.idNumber, '--name', CHEN.name];
  t.is((await tongban(words, env)).code, 2, 'a phone is needed');
  const sun = ['--id-number', '339900199906300064', '--name', '孙丽', '--phone', phone];
  const begun = await tongban(['person', 'enrol', '--assist', ...sun, '--json'], env);
  t.is(begun.code, 0, begun.stderr);
  const { enrolment } = JSON.parse(begun.stdout) as { enrolment: string };
  const code = await codeFor(product.issuer, phone);
  const confirm = ['person', 'enrol', '--confirm', enrolment];
  t.is((await tongban(confirm, env)).code, 2);
  const wrong = await tongban([...confirm, '--code-stdin'], env, `${otherCode(code)}\n`);
  t.is(wrong.code, 1);
  const done = await tongban([...confirm, '--code-stdin', '--json'], env, `${code}\n`);
  t.is(done.code, 0, done.stderr);
  const { id } = JSON.parse(done.stdout) as { id: string };
  const shown = await tongban(['person', 'show', '--id', id, '--json'], env);
  t.like(JSON.parse(shown.stdout), { status: 'active', ial: 4, nameMasked: '*丽' });
});
