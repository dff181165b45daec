import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { shippedSettings } from '../src/config/load.ts';
import { loadRegions, type RegionTable } from '../src/defence/regions.ts';
import type { LedgerEntry } from '../src/ledger/entry.ts';
import { createIncidents } from '../src/monitoring/watch/incidents.ts';
import type { Responses } from '../src/monitoring/watch/responses.ts';
import type { WatchSettings } from '../src/monitoring/watch/rule.ts';
import { startWatch, type Watch } from '../src/monitoring/watch/watch.ts';
import { nowMs, turnClock } from '../src/shared/clock.ts';
import type { Counters } from '../src/storage/counters.ts';
import type { Database } from '../src/storage/database.ts';
import { createMemoryCounters } from '../src/storage/memory-counters.ts';
import { openDatabase } from '../src/storage/open.ts';
import { createSqlCounters } from '../src/storage/sql-counters.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase, temporaryFolder } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { type ScenarioEvent, turnTo, watchedLedger } from './support/watch-rows.ts';

const DEFAULTS = shippedSettings('default').watch as WatchSettings;
const POLL_MS = 10;
const PATIENCE_MS = 20_000;
const ENGINES = [
  { name: 'SQLite', engineTest: embeddedTest, open: sqliteDatabase },
  { name: 'PostgreSQL', engineTest: postgresTest, open: postgresDatabase },
] as const;

test.beforeEach(() => turnTo(0));
test.after.always(() => turnClock(0));

interface Started {
  readonly settings?: Partial<WatchSettings>;
  readonly counters?: Counters;
  readonly countersAreOurs?: boolean;
  readonly refuse?: (name: string) => boolean;
  readonly regions?: RegionTable;
}

/** A house with a ledger and a watch over it; `calls` are the responses asked for. */
function house(t: ExecutionContext, database: Database) {
  const watched = watchedLedger(database);
  const calls: string[] = [];
  const errors: unknown[] = [];
  const incidents = createIncidents({ database, ledger: watched.ledger, operatorClass: 'other' });
  const start = ({
    settings = {},
    counters = createMemoryCounters(),
    countersAreOurs = false,
    refuse = () => false,
    regions,
  }: Started = {}): Watch => {
    const called = async (name: string): Promise<void> => {
      calls.push(name);
      if (refuse(name)) throw new Error('the other side is down');
    };
    const responses: Responses = {
      notify: (person, { title }) => called(`notify ${person} ${title.en}`),
      challenge: (target, seconds) => called(`challenge ${JSON.stringify(target)} ${seconds}`),
      lock: (person, incident) => called(`lock ${person} ${incident.slice(0, 4)}`),
      endSessions: (person) => called(`end-sessions ${person}`),
    };
    const log = { info: () => {}, error: (error: unknown) => errors.push(error) };
    const { reader, ledger } = watched;
    const watch = startWatch({
      reader,
      database,
      ledger,
      counters,
      countersAreOurs,
      settings: { ...DEFAULTS, ...settings },
      responses,
      regions,
      log,
      pollMs: POLL_MS,
    });
    t.teardown(() => watch.stop());
    return watch;
  };
  const alerts = (): Promise<readonly LedgerEntry[]> => ledgerEntries(database, 'watch.alerted');
  const place = async (): Promise<number> =>
    Number(
      (await database.get<{ next_seq: number }>("SELECT next_seq FROM follower_cursors WHERE name = 'watch'", []))
        ?.next_seq ?? -1,
    );
  /** Until the watch has looked at everything that was there. */
  const settled = async (): Promise<void> => {
    await watched.sign();
    const size = await watched.reader.signedSize();
    await until(async () => (await place()) >= size);
  };
  return { ...watched, calls, errors, incidents, start, alerts, settled, place };
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let waited = 0; !(await holds()); waited += POLL_MS) {
    if (waited > PATIENCE_MS) throw new Error('it did not come to pass');
    await sleep(POLL_MS);
  }
}

const refused = (personId: string, details: ScenarioEvent['details'] = {}, address = '203.0.113.9'): ScenarioEvent => ({
  type: 'sign-in.refused',
  outcome: 'failure',
  personId,
  address,
  details: { reason: 'mismatch', factor: 'password', ...details },
});
const refusals = (count: number, personId = 'psn_a') => Array.from({ length: count }, () => refused(personId));
const reused = (personId = 'psn_a'): ScenarioEvent => ({
  type: 'refresh.reused',
  outcome: 'failure',
  personId,
  clientId: 'portal-a',
});
const evidenceOf = (entry: LedgerEntry | undefined): readonly number[] =>
  ((entry?.data.evidence ?? []) as readonly string[]).map(Number);
const numbers = (from: number, count: number): readonly number[] => Array.from({ length: count }, (_, at) => from + at);

for (const { name, engineTest, open } of ENGINES) {
  engineTest.serial(`X11 an alert names the entries it rests on, and its incident (${name})`, async (t) => {
    const database = await open(t);
    const at = house(t, database);
    await at.write([{ type: 'server.started' }, { type: 'server.stopped' }]);
    const first = await at.write(refusals(10));
    const watch = at.start();
    await until(async () => (await at.alerts()).length === 1);
    await at.settled();
    const [alert] = await at.alerts();
    t.like(alert, { actor: 'system', subject: 'psn_a', ip: null });
    t.like(alert?.data, { rule: 'brute-force', severity: 'warning', count: 10, response: 'alert' });
    t.deepEqual(evidenceOf(alert), numbers(first, 10));
    const [incident, ...others] = await at.incidents.list();
    t.deepEqual(others, []);
    t.like(incident, {
      id: alert?.data.incident as string,
      rule: 'brute-force',
      level: 'IV',
      status: 'open',
      affectedCount: 1,
    });
    t.deepEqual(incident?.record.evidence, numbers(first, 10));
    const [opened] = await ledgerEntries(database, 'incident.changed');
    t.like(opened, { actor: 'system', data: { incident: incident?.id, change: 'opened IV' } });
    await until(() => watch.counts()['brute-force'] === 1);
    t.deepEqual(at.errors, []);
  });

  engineTest.serial(
    `two watchers on one ledger: one watches, and takes over when the other is gone (${name})`,
    async (t) => {
      const at = house(t, await open(t));
      const watches = [at.start(), at.start(), at.start()];
      const reusers = Array.from({ length: 12 }, (_, index) => `psn_${index}`);
      for (const person of reusers) await at.write([reused(person)]);
      await at.settled();
      t.is((await at.alerts()).length, reusers.length);
      const busy = watches.filter((watch) => (watch.counts()['refresh-reuse'] ?? 0) > 0);
      t.is(busy.length, 1, 'one alone has written them');
      await busy[0]?.stop();
      await at.write([reused('psn_late')]);
      await at.settled();
      t.is((await at.alerts()).length, reusers.length + 1);
      t.is((await at.incidents.list()).length, reusers.length + 1);
      await until(() => at.calls.length > reusers.length);
      t.deepEqual([...at.calls].sort(), [...reusers, 'psn_late'].map((person) => `end-sessions ${person}`).sort());
    },
  );
}

test.serial(
  'while it cools down nothing is alerted again; after that in the same incident, with other entries',
  async (t) => {
    const at = house(t, await sqliteDatabase(t));
    at.start();
    await at.write(refusals(10));
    await at.write(refusals(15));
    await at.settled();
    t.is((await at.alerts()).length, 1);
    turnTo(3700);
    const again = await at.write(refusals(12));
    await at.settled();
    const [before, after, ...more] = await at.alerts();
    t.deepEqual(more, []);
    t.is(after?.data.incident, before?.data.incident);
    t.deepEqual(
      evidenceOf(after).filter((seq) => evidenceOf(before).includes(seq)),
      [],
    );
    t.true(evidenceOf(after).includes(again));
    const [incident] = await at.incidents.list();
    t.is(incident?.record.alertCount, 2);
    t.deepEqual(
      incident?.record.timeline.map(({ change }) => change),
      ['opened', 'alerted'],
    );
  },
);

test.serial('an incident that was handled stays so: what comes later opens the next', async (t) => {
  const at = house(t, await sqliteDatabase(t));
  at.start();
  await at.write([reused()]);
  await at.settled();
  const [first] = await at.incidents.list();
  t.true((await at.incidents.change(first!.id, { change: 'handled' }, 'wang')).ok);
  turnTo(3700);
  await at.write([reused()]);
  await at.settled();
  const all = await at.incidents.list();
  t.deepEqual(all.map(({ status, record }) => [status, record.alertCount]).sort(), [
    ['handled', 1],
    ['open', 1],
  ]);
});

test.serial(
  'of several handled incidents the newest decides how long it cools down, also after a restart',
  async (t) => {
    const at = house(t, await sqliteDatabase(t));
    const first = at.start();
    for (const seconds of [0, 3700]) {
      turnTo(seconds);
      await at.write([reused()]);
      await at.settled();
      for (const { id } of await at.incidents.list()) await at.incidents.change(id, { change: 'handled' }, 'wang');
    }
    await first.stop();
    t.is((await at.alerts()).length, 2);
    at.start();
    turnTo(3800);
    await at.write([reused()]);
    await at.settled();
    t.is((await at.alerts()).length, 2);
  },
);

test.serial(
  'after a restart nothing is alerted twice, and entries from before it still count as evidence',
  async (t) => {
    const database = await sqliteDatabase(t);
    const at = house(t, database);
    const counters = createSqlCounters(database);
    const first = at.start({ counters });
    await at.write([reused('psn_r')]);
    await at.settled();
    // The watch writes of itself meanwhile: what follows is to stand together.
    await until(async () => (await at.alerts()).length === 1);
    const from = await at.write(refusals(6));
    await at.settled();
    await first.stop();
    t.is((await at.alerts()).length, 1);

    const second = at.start({ counters });
    await at.write([reused('psn_r'), ...refusals(4)]);
    await at.settled();
    const alerts = await at.alerts();
    t.deepEqual(
      alerts.map(({ data }) => data.rule),
      ['refresh-reuse', 'brute-force'],
      'the reuse cools down by its incident',
    );
    t.deepEqual(evidenceOf(alerts[1]).slice(0, 6), numbers(from, 6));
    await second.stop();

    // Counters in memory start anew; the cool-down does not, for it is the incident's.
    at.start({ counters: createMemoryCounters() });
    await at.write([reused('psn_r'), ...refusals(12)]);
    await at.settled();
    t.is((await at.alerts()).length, 2);
  },
);

test.serial('an attack that goes on over a restart is counted as one, although the counts were lost', async (t) => {
  const at = house(t, await sqliteDatabase(t));
  const start = () => at.start({ countersAreOurs: true });
  const device = { amr: ['pwd'], acr: 'a', device: 'new', session: 's1' };
  const first = start();
  const from = await at.write([
    ...refusals(9),
    { type: 'sign-in.succeeded', personId: 'psn_b', details: device },
    ...refusals(6, 'psn_c'),
  ]);
  await at.settled();
  await first.stop();
  t.deepEqual(await at.alerts(), []);

  const second = start();
  const entered = { scopes: 'openid phone', session: 's1' };
  await at.write([
    refused('psn_a'),
    { type: 'portal.entered', personId: 'psn_b', clientId: 'portal-a', details: entered },
  ]);
  await at.settled();
  const alerts = await at.alerts();
  const found = alerts.map(({ subject, data }) => [subject, data.rule, data.count]);
  t.deepEqual(found, [
    ['psn_a', 'brute-force', 10],
    ['psn_b', 'new-device-sensitive-scope', 1],
  ]);
  t.deepEqual(evidenceOf(alerts[0]).slice(0, 9), numbers(from, 9));
  await second.stop();

  // What was counted once more is not counted twice: psn_c has six, and three more are nine.
  start();
  await at.write(refusals(3, 'psn_c'));
  await at.settled();
  t.is((await at.alerts()).length, 2);
  await at.write(refusals(1, 'psn_c'));
  await at.settled();
  t.is((await at.alerts()).length, 3);
});

test.serial('another node that went silent is waited for until its lease is over', async (t) => {
  const database = await sqliteDatabase(t);
  const at = house(t, database);
  const state = JSON.stringify({ holder: 'elsewhere', untilMs: nowMs() + 30_000, awaited: [], owed: [] });
  await database.run("INSERT INTO follower_cursors (name, next_seq, updated_at, state) VALUES ('watch', 0, 0, $1)", [
    state,
  ]);
  at.start();
  await at.write([reused()]);
  await sleep(20 * POLL_MS);
  t.is(await at.place(), 0);
  turnTo(90);
  await at.settled();
  t.is((await at.alerts()).length, 1);
});

test.serial(
  'a watcher that lost its lease writes nothing: alert, incident and place are undone together',
  async (t) => {
    const database = await sqliteDatabase(t);
    const at = house(t, database);
    const watch = at.start();
    await at.write([{ type: 'server.started' }]);
    await at.settled();
    const thief = JSON.stringify({ holder: 'elsewhere', untilMs: nowMs() + 60_000, awaited: [], owed: [] });
    await database.run("UPDATE follower_cursors SET state = $1 WHERE name = 'watch'", [thief]);
    await at.write([reused()]);
    await sleep(30 * POLL_MS);
    t.deepEqual(await at.alerts(), []);
    t.deepEqual(await at.incidents.list({ all: true }), []);
    t.is(watch.counts()['refresh-reuse'], 0);
    t.deepEqual(at.calls, []);
  },
);

test.serial('responses reach whom the rule is about, and only with whom there is somebody', async (t) => {
  const at = house(t, await sqliteDatabase(t));
  at.start({
    settings: {
      bruteForce: { ...DEFAULTS.bruteForce, response: 'lock' },
      disabledAccountUse: { ...DEFAULTS.disabledAccountUse, response: 'challenge' },
      passwordSpray: { ...DEFAULTS.passwordSpray, threshold: 5, response: 'challenge' },
    },
  });
  await at.write(refusals(10));
  await at.write([refused('psn_d', { reason: 'disabled' })]);
  await at.write(Array.from({ length: 4 }, (_, index) => refused(`psn_s${index}`)));
  await at.write([
    { type: 'sign-in.succeeded', personId: 'psn_n', details: { amr: ['pwd'], acr: 'one', device: 'new' } },
    { type: 'portal.entered', personId: 'psn_n', clientId: 'portal-a', details: { acr: 'one', scopes: ['id_number'] } },
    { type: 'refresh.reused', outcome: 'failure', clientId: 'portal-a' },
    reused('psn_r'),
  ]);
  await at.settled();
  await until(() => at.calls.length >= 5);
  t.deepEqual([...at.calls].sort(), [
    'challenge {"network":"203.0.113.0/24"} 3600',
    'challenge {"personId":"psn_d"} 3600',
    'end-sessions psn_r',
    'lock psn_a inc_',
    'notify psn_n A new device goes on to sensitive personal data',
  ]);
  const responses = (await at.alerts()).map(({ data }) => `${data.rule} ${data.response}`);
  t.true(responses.includes('refresh-reuse alert'), 'without a person there is nobody to sign out');
});

test.serial('a response that fails is tried again, and owed across a restart', async (t) => {
  const at = house(t, await sqliteDatabase(t));
  let down = true;
  const first = at.start({ refuse: () => down });
  await at.write([reused()]);
  await at.settled();
  await until(() => at.calls.length === 1);
  turnTo(30);
  await until(() => at.calls.length === 2);
  await first.stop();
  down = false;
  turnTo(120);
  at.start();
  await until(() => at.calls.length === 3);
  await sleep(10 * POLL_MS);
  turnTo(600);
  await sleep(10 * POLL_MS);
  t.deepEqual(at.calls, Array(3).fill('end-sessions psn_a'), 'done once, and never again');
});

test.serial('a response that never succeeds is given up, and the incident says so', async (t) => {
  const at = house(t, await sqliteDatabase(t));
  at.start({ refuse: () => true });
  await at.write([reused()]);
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    await until(() => at.calls.length === attempt);
    turnTo(attempt * 100);
  }
  await until(async () => (await at.incidents.list())[0]?.record.timeline.at(-1)?.change === 'response');
  t.is(at.calls.length, 10);
});

test.serial('an attack on very many accounts is one incident more than a human can read, not thousands', async (t) => {
  const at = house(t, await sqliteDatabase(t));
  const persons = Array.from({ length: 130 }, (_, index) => `psn_${index}`);
  await at.write(persons.map((person) => refused(person, { reason: 'disabled' })));
  const watch = at.start();
  await at.settled();
  const incidents = (await at.incidents.list()).filter(({ rule }) => rule === 'disabled-account-use');
  t.is(incidents.length, 101);
  const collective = incidents.find(({ record }) => record.about.key === '*');
  t.is(collective?.affectedCount, 30);
  t.is(collective?.record.alertCount, 30);
  t.is((await at.alerts()).filter(({ data }) => data.rule === 'disabled-account-use').length, 130);
  await watch.stop();
  at.start();
  await at.write([refused('psn_other', { reason: 'disabled' })]);
  await at.settled();
  const after = (await at.incidents.list()).find(({ record }) => record.about.key === '*');
  t.is(after?.record.alertCount, 31, 'a restart knows the collective incident');
});

test.serial('a feed that stays down is found without any further event, and one that recovers is not', async (t) => {
  const at = house(t, await sqliteDatabase(t));
  const first = at.start();
  await at.write([
    { type: 'feed.failed', details: { feed: 'siem', error: 'refused' } },
    { type: 'feed.failed', details: { feed: 'file', error: 'full' } },
    { type: 'feed.recovered', details: { feed: 'file', waitedSeconds: 1, events: 1 } },
  ]);
  await at.settled();
  await first.stop();
  at.start();
  await sleep(10 * POLL_MS);
  t.deepEqual(await at.alerts(), []);
  turnTo(960);
  await until(async () => (await at.alerts()).length === 1);
  const [alert] = await at.alerts();
  t.like(alert?.data, { rule: 'feed-down', evidence: ['0'] });
  turnTo(9000);
  await sleep(10 * POLL_MS);
  t.is((await at.alerts()).length, 1);
});

test.serial('a person who cannot have travelled so fast is told, where there is a table of regions', async (t) => {
  const file = `${temporaryFolder(t)}/regions.json`;
  const rows = [
    { network: '192.0.2.0/24', region: '济南', latitude: 36.65, longitude: 117.12 },
    { network: '198.51.100.0/24', region: '乌鲁木齐', latitude: 43.83, longitude: 87.62 },
  ];
  writeFileSync(file, JSON.stringify(rows));
  const loaded = loadRegions(file);
  if (!loaded.ok) return t.fail(loaded.reason);
  const travel = (address: string, at: number): ScenarioEvent => ({
    type: 'sign-in.succeeded',
    personId: 'psn_a',
    address,
    at,
    details: { amr: ['pwd'], acr: 'one' },
  });
  const known = house(t, await sqliteDatabase(t));
  known.start({ regions: loaded.regions });
  const first = await known.write([travel('192.0.2.1', 0), travel('198.51.100.1', 600)]);
  await known.settled();
  await until(() => known.calls.length === 1);
  const [alert] = await known.alerts();
  t.deepEqual(evidenceOf(alert), [first, first + 1]);
  t.regex(known.calls[0] ?? '', /^notify psn_a Two sign-ins/);

  const without = house(t, await sqliteDatabase(t));
  without.start();
  await without.write([travel('192.0.2.1', 0), travel('198.51.100.1', 600)]);
  await without.settled();
  t.deepEqual(await without.alerts(), []);
});

test.serial('L12 a day read in a minute is still a day: counts go by the time of the events', async (t) => {
  const at = house(t, await sqliteDatabase(t));
  await at.write(Array.from({ length: 24 }, (_, hour) => ({ ...refused('psn_a'), at: hour * 3600 })));
  at.start();
  await at.settled();
  t.deepEqual(await at.alerts(), []);
});

test.serial('what the watch keeps and writes holds no address', async (t) => {
  const database = await sqliteDatabase(t);
  const at = house(t, database);
  at.start({ settings: { passwordSpray: { ...DEFAULTS.passwordSpray, threshold: 3 } } });
  await at.write(Array.from({ length: 4 }, (_, index) => refused(`psn_${index}`, {}, `203.0.113.${index}`)));
  await at.settled();
  t.is((await at.alerts()).length, 1);
  const entries = await database.all<{ entry: string }>('SELECT entry FROM ledger_entries', []);
  t.false(JSON.stringify(entries).includes('203.0.113'), 'the ledger names the incident, and that the network');
  const [incident] = await at.incidents.list();
  t.is(incident?.record.about.network, '203.0.113.0/24');
});

test.serial('a store that fails in between: nothing is lost and nothing written twice', async (t) => {
  const file = `${temporaryFolder(t)}/tongban.sqlite`;
  const database = await openDatabase({ file });
  t.teardown(() => database.close());
  let failing = false;
  const flaky: Database = new Proxy(database, {
    get: (target, name) => {
      if (name === 'write' && failing) return () => Promise.reject(new Error('the disk is full'));
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const at = house(t, flaky);
  const direct = watchedLedger(database);
  at.start();
  await at.write([{ type: 'server.started' }]);
  await at.settled();
  failing = true;
  await direct.write([...refusals(10), reused('psn_b')]);
  await until(() => at.errors.length >= 3);
  t.is((await at.alerts()).length, 0);
  failing = false;
  await at.settled();
  t.deepEqual(
    (await at.alerts()).map(({ data }) => data.rule),
    ['brute-force', 'refresh-reuse'],
  );
  t.deepEqual(evidenceOf((await at.alerts())[0]), numbers(1, 10));
});
