import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { openHouse } from '../src/app.ts';
import { enqueue } from '../src/delivery/outbox.ts';
import { EVENTS, type EventType } from '../src/ledger/events.ts';
import { LOGOUT_TOPIC } from '../src/oidc/logout-notices.ts';
import { turnClock } from '../src/shared/clock.ts';
import { OPERATOR as AUDITOR, commandLine, configFor } from './support/audit.ts';
import { temporaryFolder } from './support/folders.ts';
import { pause, ROOMY, refresh, tokensOf } from './support/portal-calls.ts';
import { freshPlace, startProduct, tongban } from './support/product.ts';
import { LI, PASSWORD, startServer, WANG } from './support/server.ts';
import { allTold, BAD, BROWSER, GOOD, HERE, NOWHERE, oneTold, toldBy } from './support/told-events.ts';
import { signedToTheEnd, trailOf } from './support/trail.ts';
import { until } from './support/waiting.ts';

const OPERATOR = `operator:${userInfo().username}`;
const SIGNED_SOON = { ledger: { checkpointIntervalMs: 100 } } as const;
/** Of what the house does by itself. */
const HOUSE = { ...NOWHERE, ...GOOD, actor: 'system', subject: null, client: null } as const;

test.afterEach.always(() => turnClock(0));

test.serial('H5 L15 a jump of the clock is on record with its size', async (t) => {
  const server = await startServer(t);
  turnClock(120_000);
  t.true(await until(async () => (await server.events('clock.step')).length === 1));
  turnClock(0);
  t.true(await until(async () => (await server.events('clock.step')).length === 2));
  const steps = await allTold(server, 'clock.step');
  for (const [at, { data, ...told }] of steps.entries()) {
    t.deepEqual(told, HOUSE);
    const { stepMs } = data as { readonly stepMs: number };
    t.true(Math.abs(stepMs - [120_000, -120_000][at]!) < 1000, String(stepMs));
  }
});

test('H5 L15 start, stop, first keys and changed settings are on record; of the settings the names alone', async (t) => {
  const place = await freshPlace(t);
  const env = { TONGBAN_PROFILE: 'test', TONGBAN_LOG_DESTINATION: 'none' };
  const product = await startProduct(t, place, env);
  t.is(await product.end('SIGTERM'), 0);
  const [hotline, secret, portBefore] = [
    '4471 2358 9917',
    'a-key-that-nobody-may-ever-read-in-the-ledger-001',
    place.port,
  ];
  const moved = { ...place, port: place.portalPorts[0] };
  const again = await startProduct(t, moved, {
    ...env,
    TONGBAN_SUPPORT_HOTLINE: hotline,
    TONGBAN_INDEX_KEY: secret,
  });
  t.is(await again.end('SIGTERM'), 0);
  const house = await openHouse(configFor({ dataDir: place.dataDir }));
  t.teardown(() => house.close());
  const own = { house };
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const started = { ...HOUSE, data: { version, profile: 'test', passing: 'sealed', rows: 'sealed' } };
  t.deepEqual(await allTold(own, 'server.started'), [started, started]);
  const stopped = { ...HOUSE, data: { signal: 'SIGTERM' } };
  t.deepEqual(await allTold(own, 'server.stopped'), [stopped, stopped]);
  const origin = `localhost:${portBefore}/audit`;
  t.deepEqual(await oneTold('audit.opened', {}, own), { ...HOUSE, data: { origin, key: house.ledgerKey.verifierKey } });
  const changed = await oneTold('configuration.changed', {}, own);
  const { digest, ...rest } = changed.data as Record<string, unknown>;
  t.regex(String(digest), /^[0-9a-f]{64}$/);
  t.deepEqual({ ...changed, data: rest }, { ...HOUSE, data: { changed: ['issuer', 'port', 'support.hotline'] } });
  const keys = await allTold(own, 'key.created');
  t.true(keys.length >= 4);
  for (const { data, ...told } of keys) {
    t.deepEqual(told, HOUSE);
    t.deepEqual(Object.keys(data as object).sort(), ['alg', 'kid', 'state']);
  }
  const party = await oneTold('relying-party.changed', {}, own);
  const at = (port: number): string => JSON.stringify({ redirect_uris: [`http://localhost:${port}/account/entered`] });
  const change = { origin: 'server', fields: ['redirect_uris'], before: at(portBefore), after: at(moved.port) };
  t.deepEqual(party, { ...HOUSE, client: 'account-centre', data: change });
  const everything = (await house.database.all<{ entry: string }>('SELECT entry FROM ledger_entries', [])).map(
    ({ entry }) => entry,
  );
  for (const value of [hotline, secret]) t.false(everything.join().includes(value));
});

/** Everything administrators do to a person, a portal, a key, a feed or a case, by the real command in a process of its own. */
test('H5 every act of an administrator is on record under the name of their account', async (t) => {
  const own = await startServer(t, { ...ROOMY, ...SIGNED_SOON });
  const wang = await own.addPerson(WANG);
  const client = await own.addPortal();
  const browser = own.browser(BROWSER);
  await own.signIn(browser, client);
  await signedToTheEnd(own);
  await browser.get('/account/trail');
  await browser.get(trailOf(browser.page.text).find(({ report }) => report !== undefined)?.report ?? '');
  const reported = await browser.submit({}, '/account/not-me');
  const [{ id: incident }] = (await own.house.database.all<{ id: string }>('SELECT id FROM incidents', [])) as [
    { id: string },
  ];
  const frozen = { ...HERE, ...GOOD, actor: wang, subject: wang, client: null };
  const cause = 'reported_by_person';
  t.deepEqual(await toldBy(reported, 'person.frozen', own), { ...frozen, data: { cause, incident } });
  const ended = await toldBy(reported, 'session.ended', own);
  t.like(ended, { ...frozen, data: { cause: 'person_frozen' } });
  t.like(await oneTold('incident.changed', {}, own), { actor: 'system', data: { incident, change: 'opened IV' } });

  const folder = temporaryFolder(t);
  const feedsFile = join(folder, 'feeds.json');
  const archive = join(folder, 'tongban.backup');
  writeFileSync(feedsFile, JSON.stringify([{ name: 'archive', kind: 'file', address: join(folder, 'archive.log') }]));
  const env = {
    TONGBAN_PROFILE: 'test',
    TONGBAN_PORT: new URL(own.issuer).port,
    TONGBAN_DATA_DIR: own.dataDir,
    TONGBAN_MONITORING_FEEDS_FILE: feedsFile,
  };
  const reason = 'ID card seen at counter 4';
  const origin = 'command';
  const clientOrigin = 'command line';
  const record = { client_name: '新门户', redirect_uris: ['https://new.example/callback'], client_id: 'new-portal' };
  await own.house.database.run('UPDATE keys SET created_at = created_at - 1000000', []);
  const notice = { topic: LOGOUT_TOPIC, payload: { clientId: 'new-portal' } };
  const delivery = await own.house.database.write(async (tx) => {
    const id = await enqueue(tx, notice);
    await tx.run("UPDATE outbox SET state = 'dead' WHERE id = $1", [id]);
    return id;
  });
  const acts: readonly (readonly [string, EventType, object, string?])[] = [
    [
      `person unfreeze ${wang} --reason`,
      'person.enabled',
      { subject: wang, data: { origin, reason: `sealed ${reason}` } },
      reason,
    ],
    [
      `person disable --id ${wang} --reason`,
      'person.disabled',
      { subject: wang, data: { origin, reason: `sealed ${reason}` } },
      reason,
    ],
    [`person enable --id ${wang}`, 'person.enabled', { subject: wang, data: { origin } }],
    [
      `person add --id-number ${LI.idNumber} --name 李 --password-stdin`,
      'person.added',
      { data: { origin, ial: 1 } },
      PASSWORD,
    ],
    [
      'client add -',
      'relying-party.added',
      { client: 'new-portal', data: { origin: clientOrigin } },
      JSON.stringify(record),
    ],
    ['client disable new-portal', 'relying-party.disabled', { client: 'new-portal', data: { origin: clientOrigin } }],
    ['client enable new-portal', 'relying-party.enabled', { client: 'new-portal', data: { origin: clientOrigin } }],
    [
      'client rotate-secret new-portal',
      'relying-party.changed',
      { client: 'new-portal', data: { origin: clientOrigin, fields: ['client_secret'] } },
    ],
    [`backup ${archive} --passphrase-stdin`, 'server.backed-up', {}, 'nine quiet rivers run'],
    [`logout retry ${delivery}`, 'logout.retried', { client: 'new-portal', data: { delivery } }],
    ['keys rotate ES256', 'key.rotated', {}],
    ['feed replay archive --from 2 --yes', 'feed.replayed', { data: { feed: 'archive', from: 2 } }],
    [
      `incident note ${incident}`,
      'incident.changed',
      { data: { incident, change: 'noted', note: `sealed ${reason}` } },
      reason,
    ],
    [`incident handled ${incident}`, 'incident.changed', { data: { incident, change: 'handled' } }],
  ];
  for (const [line, type, expected, last] of acts) {
    const words = line.split(' ');
    const isInput = words.some((word) => word === '-' || word.endsWith('-stdin'));
    const ran = await tongban(isInput || last === undefined ? words : [...words, last], env, isInput ? last : '');
    t.is(ran.code, 0, `${line}: ${ran.stderr}`);
    const told = (await allTold(own, type)).at(-1);
    t.like(told, { ...NOWHERE, ...GOOD, actor: OPERATOR, ...expected }, line);
  }
  t.like((await allTold(own, 'password.changed')).at(-1), { actor: OPERATOR, data: { origin } });
  const epoch = await tongban(['restore', 'epoch'], env);
  t.is(epoch.code, 0, epoch.stderr);
  t.like(await oneTold('server.restored', {}, own), { ...NOWHERE, ...GOOD, actor: OPERATOR });
});

test('H5 L15 every look of an auditor into the ledger is on record, with a reason only the house can open', async (t) => {
  const own = await startServer(t, { ...ROOMY, ...SIGNED_SOON });
  const wang = await own.addPerson(WANG);
  const client = await own.addPortal();
  await own.signIn(own.browser(BROWSER), client);
  await own.house.persons.disable(wang, 'test');
  t.like((await allTold(own, 'session.ended', { subject: wang }))[0], { data: { cause: 'person_disabled' } });
  await signedToTheEnd(own);
  const audit = commandLine(configFor({ dataDir: own.dataDir, issuer: own.issuer }));
  const folder = temporaryFolder(t);
  const ground = 'complaint 2026-17';
  const reason = `sealed ${ground}`;
  const run = async (words: readonly string[], input = ''): Promise<void> => {
    const ran = await audit(words, input);
    t.is(ran.code, 0, ran.stderr);
  };
  const last = async (type: EventType): Promise<unknown> => (await allTold(own, type)).at(-1);
  const auditor = { ...NOWHERE, ...GOOD, actor: `operator:${AUDITOR}`, subject: wang, client: null };
  const fields = ['ip', 'ua', 'data'];

  await run(['search', '--person', '--type', 'sign-in.*', '--open', '--reason', ground], WANG.idNumber);
  t.like(await last('audit.search'), {
    ...auditor,
    data: { filters: ['person', 'type=sign-in.*'], matches: 1, reason },
  });
  t.deepEqual(await last('personal-data.revealed'), { ...auditor, data: { fields, reason } });
  await run(['export', '--person', '--open', '--out', join(folder, 'a'), '--reason', ground], WANG.idNumber);
  const exported = (await allTold(own, 'audit.export')).at(-1);
  t.like(exported, { ...auditor, data: { format: 'records', opened: true, reason } });
  t.is((await allTold(own, 'personal-data.revealed')).length, 2);
  await run(['prove', '1', '--out', join(folder, 'b')]);
  t.like(await last('audit.export'), { ...auditor, subject: null });
  await run(['report', '--day', new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 10), '--text']);
  t.like(await last('audit.verified'), { ...auditor, subject: null, data: { verdict: 'good' } });
  await run(['erase', '--person-id', wang, '--by', 'Li', '--reason', ground, '--yes']);
  t.like(await last('person.erased'), { ...auditor, data: { origin: `Li (${AUDITOR})` } });
});

test('H5 L15 what the watch notices and what it does about it are on record as acts of the house', async (t) => {
  const own = await startServer(t, { ...ROOMY, ...SIGNED_SOON, ttl: { refreshRetrySeconds: 0 } });
  const wang = await own.addPerson(WANG);
  const client = await own.addPortal({ scope: 'openid id_number offline_access', approved_scopes: ['id_number'] });
  const { refresh_token: spent } = await tokensOf(own, client, own.browser(BROWSER), {
    scope: 'openid id_number offline_access',
    prompt: 'consent',
  });
  await refresh(own, client, spent);
  const told = { ...HOUSE, subject: wang };
  t.true(await until(async () => (await own.events('person.notified')).length === 1));
  const notified = await oneTold('person.notified', {}, own);
  t.regex((notified.data as { readonly incident: string }).incident, /^inc_/);
  t.deepEqual({ ...notified, data: {} }, { ...told, data: {} });
  await pause(1100); // A refresh token is taken for a lost answer asked again until its second is over.
  await refresh(own, client, spent);
  t.true(await until(async () => (await own.events('session.ended')).length === 1));
  t.like(await oneTold('session.ended', {}, own), { ...told, data: { cause: 'ended_by_watch' } });
  for (const alert of await allTold(own, 'watch.alerted')) t.like(alert, { ...told, client: client.id });
});

test.serial('H5 L15 a gap in the ledger that a feed meets is on record', async (t) => {
  const folder = temporaryFolder(t);
  const feedsFile = join(folder, 'feeds.json');
  const address = join(folder, 'archive.log');
  writeFileSync(feedsFile, JSON.stringify([{ name: 'archive', kind: 'file', address }]));
  const own = await startServer(t, { ...SIGNED_SOON, monitoring: { feedsFile } });
  for (let times = 0; times < 3; times += 1) await own.house.ledger.record({ type: 'token.revoked' });
  await signedToTheEnd(own);
  // A feed that is under way with its first entries would not notice that it was set back to them.
  const place = "SELECT next_seq FROM follower_cursors WHERE name LIKE '%archive%'";
  const arrived = async (): Promise<boolean> =>
    Number((await own.house.database.get<{ next_seq: number }>(place, []))?.next_seq ?? 0) > 2;
  t.true(await until(arrived));
  await own.house.database.run('DELETE FROM ledger_entries WHERE seq = 2', []);
  await own.house.database.run("UPDATE follower_cursors SET next_seq = 0 WHERE name LIKE '%archive%'", []);
  // A feed that has nothing to do looks at its place again with the next entry.
  await own.house.ledger.record({ type: 'token.revoked' });
  t.true(await until(async () => (await own.events('audit.gap')).length > 0, 40_000));
  t.deepEqual((await allTold(own, 'audit.gap'))[0], { ...HOUSE, ...BAD, data: { seq: 2, reason: 'missing up to 2' } });
});

/** Types whose scenario stands in the test of the part that writes them. */
const ELSEWHERE: Readonly<Partial<Record<EventType, string>>> = {
  'feed.failed': 'feeds',
  'feed.recovered': 'feeds',
  'feed.dead-letter': 'feeds',
  'audit.prune-proposed': 'audit-prune',
  'audit.prune': 'audit-prune',
  'key.removed': 'crypto-keyring',
  'identifier.bound': 'people-identifiers',
  'identifier.released': 'people-identifiers',
  'document.expired': 'person-recheck',
  'identity.level-changed': 'person-recheck',
  'document.added': 'people-held-documents',
  'document.removed': 'people-held-documents',
  'document.verified': 'people-held-documents',
  'demo.seeded': 'demo-seed',
  'message.delivered': 'messages',
  'person.assisted': 'counter-enrolment',
  'recovery.begun': 'recovery',
  'recovery.refused': 'recovery',
  'recovery.waiting': 'recovery',
  'recovery.completed': 'recovery',
  'recovery.cancelled': 'recovery',
  'recovery-codes.made': 'recovery-codes',
  'recovery-code.used': 'recovery-codes',
  'message.undelivered': 'messages',
  'sign-in.renewed': 'account-proof',
  'document.refused': 'account-documents',
  'personal-data.shown': 'account-proof',
  'subject.chosen': 'protocol-subject',
  'sign-in.misplaced': 'walks',
  'subject.refused': 'protocol-subject',
  'acting.ended': 'subject-ends',
  'person.closing': 'account-closure',
  'account-merge.proven': 'account-merge',
  'person.merged': 'account-merge',
  'person.merge-undone': 'account-merge',
  'person.merge-final': 'account-merge',
  'person.merge-refused': 'account-merge',
  'person.corrected': 'personal-data',
  'person.correction-refused': 'personal-data',
  'personal-data.exported': 'personal-data',
  'person.birthday': 'minors',
  'person.kept': 'account-closure',
  'person.closed': 'account-closure',
  'legal-person.added': 'legal-persons',
  'legal-person.claimed': 'legal-persons',
  'legal-person.claim-refused': 'legal-persons',
  'legal-person.suspended': 'legal-persons',
  'legal-person.deregistered': 'legal-persons',
  'legal-person.resumed': 'legal-persons',
  'legal-person.renamed': 'legal-persons',
  'post.appointed': 'legal-persons',
  'post.resumed': 'legal-persons',
  'post.ended': 'legal-persons',
  'mandate.granted': 'mandates',
  'mandate.accepted': 'mandates',
  'mandate.declined': 'mandates',
  'mandate.revoked': 'mandates',
  'mandate.expired': 'mandates',
  'mandate.renewed': 'mandates',
  'mandate.suspended': 'legal-persons',
  'mandate.resumed': 'legal-persons',
  'mandate.ward-told': 'mandates-natural',
  'legal-person.claim-submitted': 'legal-person-reviews',
  'legal-person.claim-withdrawn': 'legal-person-reviews',
  'legal-person.claim-reviewed': 'legal-person-reviews',
  'legal-person.evidence-exported': 'legal-person-reviews',
  'legal-person.evidence-removed': 'legal-person-reviews',
  'sign-in.continued': 'second-factor',
  'portal.closed': 'level-ends',
  'factor.bound': 'bound-factors',
  'factor.renamed': 'bound-factors',
  'factor.removed': 'bound-factors',
  'factor.policy-changed': 'bound-factors',
  'factor.tokens-imported': 'second-factors',
  'factor.cloned': 'passkeys',
  'scan.approved': 'scan',
  'scan.refused': 'scan',
  'device.trusted': 'trusted-devices',
  'device.distrusted': 'trusted-devices',
  'defence.raised': 'defence-gate',
  'sign-in.assessed': 'defence-risk-sign-in',
  'defence.lowered': 'defence-gate',
  'factor.refused': 'account-factors',
  'staff.added': 'staff',
  'staff.role-changed': 'staff',
  'staff.account-changed': 'acting-staff',
  'staff.refused': 'acting-staff',
  'staff.disabled': 'staff',
  'staff.enabled': 'staff',
  'key.resealed': 'key-rotation',
  'sealed-data.altered': 'sealed-columns',
  'server.moved': 'move',
  'row.altered': 'row-seals-house',
  'row.sealed': 'row-seals',
  'row.checked': 'row-seals-house',
};

test('H5 every event of the catalogue has a scenario', (t) => {
  const textOf = (name: string): string => readFileSync(join(import.meta.dirname, `${name}.test.ts`), 'utf8');
  const here = textOf('event-coverage') + textOf('event-coverage-house').split('const ELSEWHERE')[0];
  const missing = Object.keys(EVENTS).filter((type) => {
    const elsewhere = ELSEWHERE[type as EventType];
    return !(elsewhere === undefined ? here : textOf(elsewhere)).includes(`'${type}'`);
  });
  t.deepEqual(missing, []);
});
