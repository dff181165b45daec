import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { SIGNING_ALGORITHMS } from '../src/crypto/signing-key.ts';
import { readCertificates } from '../src/monitoring/certificates.ts';
import type { HashReading } from '../src/monitoring/metric-sources.ts';
import { createReadiness, type Finding, type Verdict, verdictOf } from '../src/monitoring/readiness.ts';
import {
  judgeCertificates,
  judgeFeeds,
  judgeHashQueue,
  judgeKeys,
  judgeLedger,
  judgeSpace,
} from '../src/monitoring/readiness-checks.ts';
import { openDatabase } from '../src/storage/open.ts';
import { postgresSchema, postgresTest, sqliteDatabase, temporaryFolder } from './support/databases.ts';
import { parseExposition } from './support/exposition.ts';
import { testLedger } from './support/ledger.ts';
import { startNode } from './support/monitored.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const verdictAt = async (url: string): Promise<Verdict & { readonly code: number }> => {
  const answer = await fetch(`${url}/readyz`);
  return { ...((await answer.json()) as Verdict), code: answer.status };
};

test('H4 with the store gone the node is not ready but alive, and its metrics go on', async (t) => {
  const node = await startNode(t);
  t.is((await verdictAt(node.url)).status, 'ready');
  await node.database.close();
  await pause(600);
  const verdict = await verdictAt(node.url);
  t.is(verdict.code, 503);
  t.is(verdict.status, 'unready');
  t.deepEqual(verdict.checks.database, { state: 'fail', detail: 'failed: storage_unavailable' });
  t.notRegex(JSON.stringify(verdict), /SQLITE|\.ts|\/tmp/);
  t.is((await fetch(`${node.url}/healthz`)).status, 200);
  const seen = parseExposition(await (await fetch(`${node.url}/metrics`)).text());
  t.is(seen.value('tongban_readiness', { check: 'database' }), 2);
  t.is(seen.value('tongban_ledger_entries'), undefined);
});

postgresTest(
  'H4 X2 a store that stops answering makes the node unready within a second, and ready again by itself',
  async (t) => {
    const sockets = new Set<Socket>();
    let hangs = false;
    const wire = createServer((near) => {
      const far = connect(5432, '127.0.0.1');
      sockets.add(near).add(far);
      for (const socket of [near, far]) socket.on('error', () => undefined);
      near.on('data', (chunk) => void (hangs || far.write(chunk)));
      far.on('data', (chunk) => void (hangs || near.write(chunk)));
      near.on('close', () => far.destroy());
      far.on('close', () => near.destroy());
    });
    wire.listen(0, '127.0.0.1');
    await once(wire, 'listening');
    t.teardown(() => {
      for (const socket of sockets) socket.destroy();
      wire.close();
    });
    const { port } = wire.address() as { readonly port: number };
    const url = (await postgresSchema(t)).replace(':5432/', `:${port}/`);
    const database = await openDatabase({ url, poolMax: 4, statementTimeoutMs: 1_500, connectTimeoutMs: 3_000 });
    t.teardown(() => database.close());
    const node = await startNode(t, { database });
    t.is((await verdictAt(node.url)).status, 'ready');
    hangs = true;
    await pause(600);
    const began = performance.now();
    const verdict = await verdictAt(node.url);
    t.true(performance.now() - began < 5_000);
    t.is(verdict.code, 503);
    t.is(verdict.checks.database?.detail, 'no answer within 1000 ms');
    hangs = false;
    for (const socket of sockets) socket.destroy();
    let again = await verdictAt(node.url);
    for (let n = 0; n < 40 && again.code !== 200; n += 1) {
      await pause(250);
      again = await verdictAt(node.url);
    }
    t.is(again.status, 'ready', JSON.stringify(again));
  },
);

test('X5 a store that reads but takes no writes makes the node unready', async (t) => {
  const folder = temporaryFolder(t);
  const database = await openDatabase({ file: join(folder, 'tongban.db') });
  t.teardown(() => database.close());
  const node = await startNode(t, { database });
  await database.run(`CREATE TRIGGER full_disk BEFORE UPDATE ON counters BEGIN SELECT RAISE(ABORT, 'full'); END`, []);
  await database.run(
    `CREATE TRIGGER full_disk_too BEFORE INSERT ON counters BEGIN SELECT RAISE(ABORT, 'full'); END`,
    [],
  );
  const verdict = await verdictAt(node.url);
  t.is(verdict.code, 503);
  t.is(verdict.checks.database?.state, 'fail');
  t.is((await database.get<{ one: number }>('SELECT 1 AS one', []))?.one, 1);
});

test('X7 from the moment it stops the node is unready but answers, and ends what it has begun', async (t) => {
  const began = Promise.withResolvers<void>();
  const node = await startNode(t, {
    node: {
      ledgerFiles: async () => {
        began.resolve();
        await pause(300);
        return { status: 200, type: 'text/plain', body: 'whole', cacheSeconds: 0 };
      },
    },
  });
  const idle = connect(node.port.port, '127.0.0.1');
  idle.on('error', () => undefined);
  t.is((await verdictAt(node.url)).code, 200);
  node.state.draining = true;
  await pause(600);
  const verdict = await verdictAt(node.url);
  t.is(verdict.code, 503);
  t.deepEqual(verdict.checks.draining, { state: 'fail', detail: 'stopping' });
  t.is(verdict.checks.database?.state, 'ok');
  const underWay = fetch(`${node.url}/ledger/checkpoint`).then((answer) => answer.text());
  await began.promise;
  const stopping = performance.now();
  await node.port.stop();
  t.true(performance.now() - stopping < 3_000, 'a silent connection does not hold it up');
  t.is(await underWay, 'whole');
  await t.throwsAsync(fetch(`${node.url}/healthz`));
});

test('the verdict is the worst finding; what only warns never takes a node away', async (t) => {
  const at = (state: Finding['state']): Finding => ({ state, detail: '' });
  t.is(verdictOf({ a: at('ok') }).status, 'ready');
  t.is(verdictOf({ a: at('ok'), b: at('warn') }).status, 'degraded');
  t.is(verdictOf({ a: at('fail'), b: at('warn') }).status, 'unready');
  const feeds = createReadiness({ feeds: { worst: 'warn', look: () => Promise.reject(new Error('x')) } });
  t.is((await feeds()).status, 'degraded');
});

test('X3 a check that hangs is not started again, and a verdict is kept for half a second', async (t) => {
  let started = 0;
  let looked = 0;
  const judge = createReadiness({
    stuck: {
      look: () => {
        started += 1;
        return new Promise<Finding>(() => undefined);
      },
    },
    well: {
      look: () => {
        looked += 1;
        return { state: 'ok', detail: '' };
      },
    },
  });
  const all = await Promise.all(Array.from({ length: 50 }, judge));
  t.is(looked, 1);
  t.is(all[0]?.checks.stuck?.detail, 'no answer within 1000 ms');
  await judge();
  t.is(looked, 2);
  t.is(started, 1);
});

const NOW = 1_800_000_000;
const DAY = 86_400;
const KEYS = ['ES256', 'RS256', 'SGD_SM3_SM2'].flatMap((alg) => [
  { kid: `${alg}-c`, alg, state: 'current', retiresAt: NOW + 10 * DAY },
  { kid: `${alg}-n`, alg, state: 'next', retiresAt: undefined },
]);
const LATE_KEY = { kid: 'p', alg: 'ES256', state: 'previous', retiresAt: NOW - 2 * DAY };
const LEDGER = { entries: 10, unsigned: 1, checkpointAgeMs: 90_000 };
const HASHES = { running: 2 } as HashReading;
const FEED = { name: 'siem', up: true, lagEvents: 1, lagSeconds: 1 };

const JUDGEMENTS: readonly (readonly [what: string, finding: Finding, state: Finding['state']])[] = [
  ['an entry is signed within seconds', judgeLedger({ ...LEDGER, unsignedMs: 9_000 }), 'ok'],
  ['an entry waits', judgeLedger({ ...LEDGER, unsignedMs: 11_000 }), 'warn'],
  ['nothing is signed any more', judgeLedger({ ...LEDGER, unsignedMs: 61_000 }), 'fail'],
  ['a quiet ledger has an old checkpoint', judgeLedger({ ...LEDGER, unsigned: 0, unsignedMs: 0 }), 'ok'],
  ['all keys are there', judgeKeys(KEYS, SIGNING_ALGORITHMS, NOW), 'ok'],
  ['no key signs', judgeKeys(KEYS.slice(1), SIGNING_ALGORITHMS, NOW), 'fail'],
  ['no keys at all', judgeKeys([], SIGNING_ALGORITHMS, NOW), 'fail'],
  ['no key waits', judgeKeys(KEYS.slice(0, 5), SIGNING_ALGORITHMS, NOW), 'warn'],
  ['a key is past its end', judgeKeys([...KEYS, LATE_KEY], SIGNING_ALGORITHMS, NOW), 'warn'],
  ['keys of an algorithm that is no longer used', judgeKeys([...KEYS, LATE_KEY], ['SGD_SM3_SM2'], NOW), 'ok'],
  [
    'the hourly upkeep has yet to come',
    judgeKeys([...KEYS, { ...LATE_KEY, retiresAt: NOW - 7200 }], SIGNING_ALGORITHMS, NOW),
    'ok',
  ],
  ['no certificates', judgeCertificates([], NOW), 'ok'],
  ['31 days left', judgeCertificates([{ file: 'a', expiresAt: NOW + 31 * DAY }], NOW), 'ok'],
  ['29 days left', judgeCertificates([{ file: 'a', expiresAt: NOW + 29 * DAY }], NOW), 'warn'],
  ['the last second', judgeCertificates([{ file: 'a', expiresAt: NOW }], NOW), 'fail'],
  ['a file that is gone', judgeCertificates([{ file: 'a', reason: 'cannot be read' }], NOW), 'fail'],
  ['space', judgeSpace(600 * 2 ** 20), 'ok'],
  ['little space', judgeSpace(499 * 2 ** 20), 'warn'],
  ['no space', judgeSpace(100 * 2 ** 20 - 1), 'fail'],
  ['hashes wait', judgeHashQueue({ ...HASHES, waiting: 3 }, 4), 'ok'],
  ['X6 a full queue takes no node away', judgeHashQueue({ ...HASHES, waiting: 4 }, 4), 'warn'],
  ['feeds deliver', judgeFeeds([FEED]), 'ok'],
  ['a feed is down', judgeFeeds([{ ...FEED, up: false }]), 'warn'],
  ['a feed is late', judgeFeeds([FEED, { ...FEED, lagSeconds: 61 }]), 'warn'],
];

test('each check judges by its limits', (t) => {
  for (const [what, finding, state] of JUDGEMENTS) t.is(finding.state, state, `${what}: ${finding.detail}`);
});

test('the end of a certificate file is that of the first certificate in it to end', async (t) => {
  const folder = temporaryFolder(t);
  const make = (days: number): string => {
    const [key, certificate] = [join(folder, `${days}.key`), join(folder, `${days}.pem`)];
    const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=t -days ${days} -keyout ${key} -out ${certificate}`;
    execFileSync('openssl', words.split(' '), { stdio: 'ignore' });
    return execFileSync('cat', [certificate], { encoding: 'utf8' });
  };
  const chain = join(folder, 'chain.pem');
  writeFileSync(chain, make(400) + make(20));
  const damaged = join(folder, 'damaged.pem');
  writeFileSync(damaged, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  const found = await readCertificates([chain, damaged, join(folder, '20.key'), join(folder, 'none'), folder]);
  const [first, ...others] = found;
  const days = first && 'expiresAt' in first ? (first.expiresAt - Date.now() / 1000) / DAY : 0;
  t.true(days > 19.9 && days <= 20, String(days));
  t.deepEqual(
    others.map((file) => 'reason' in file && file.reason),
    ['holds a damaged certificate', 'holds no certificate', 'cannot be read', 'cannot be read'],
  );
  const node = await startNode(t, { monitoring: { certificateFiles: [chain] } });
  const verdict = await verdictAt(node.url);
  t.is(verdict.status, 'degraded');
  t.is(verdict.checks.certificates?.state, 'warn');
});

test('H4 entries nobody signs make the node unready after a minute', async (t) => {
  const database = await sqliteDatabase(t);
  await testLedger(database).record({ type: 'server.stopped' });
  const row = await database.get<{ entry: string }>('SELECT entry FROM ledger_entries', []);
  const old = row?.entry.replace(/"ts":"[^"]+"/, `"ts":"${new Date(Date.now() - 120_000).toISOString()}"`) ?? '';
  await database.run('UPDATE ledger_entries SET entry = $1', [old]);
  const node = await startNode(t, { database });
  const verdict = await verdictAt(node.url);
  t.is(verdict.code, 503);
  t.regex(verdict.checks.ledger?.detail ?? '', /^1 of 1 entries unsigned, the oldest for 12\d s$/);
});
