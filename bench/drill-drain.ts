import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { parseIdNumber } from '../src/people/id-number.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { createBrowser } from '../test/support/http-client.ts';
import { ledgerEntries } from '../test/support/ledger.ts';
import { nginxMissing, startNginx } from '../test/support/nginx.ts';
import { cleanEnvironment } from '../test/support/product.ts';
import { authorizationPath, callbackOf, freePort, PASSWORD, REDIRECT_URI, redemption } from '../test/support/server.ts';
import { drillHash, withoutHash } from './drill-hash.ts';
import { createDrillReport, machineSentence } from './drill-report.ts';
import { quantile } from './measure.ts';
import { inventedPerson } from './peers.ts';

/*
 * `npm run drill:drain -- [--rate 50] [--seconds 30] [--hash real|least]`: two nodes on one store behind a real nginx, people signing in at a rate. In the middle one
 * node is told to end and started anew, then the other: a rolling upgrade. No flow may fail, each node must have ended within the ten
 * seconds it gives what is under way, in order and on record. Prints the figures, and the load of the machine they are from.
 */

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '30' },
    hash: { type: 'string', default: 'real' },
  },
});
const HASH = drillHash(values.hash);
const RATE = Number(values.rate);
const DURATION_MS = Number(values.seconds) * 1000;
const PEOPLE = 100;
const REASONS_MAX = 8;
const DELAY_MS = 1000;
const END_MS = 10_000 + DELAY_MS;
const READY_MS = 180_000;
const ROOT = new URL('../', import.meta.url);

const missing = nginxMissing();
if (missing !== undefined) throw new Error(`this drill needs nginx: ${missing}`);
const report = createDrillReport();
const { expect, tell } = report;

const dataDir = await mkdtemp(join(tmpdir(), 'tongban-drain-'));
const port = await freePort();
const issuer = `http://localhost:${port}`;
const nodes = [await freePort(), await freePort()] as const;
const cleanups: (() => unknown)[] = [];

async function startNode(nodePort: number) {
  const child = spawn(process.execPath, HASH.program, {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...cleanEnvironment(),
      TONGBAN_PROFILE: 'test',
      TONGBAN_DATA_DIR: dataDir,
      TONGBAN_PORT: String(nodePort),
      TONGBAN_ISSUER: issuer,
      TONGBAN_HTTP_TRUSTED_PROXIES: '1',
      TONGBAN_HTTP_CONNECTIONS_PER_ADDRESS_MAX: '2000',
      TONGBAN_HTTP_DRAIN_DELAY_MS: String(DELAY_MS),
      TONGBAN_LIMITS_FAILURES_PER_ADDRESS: '10000',
    },
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  cleanups.push(() => child.kill('SIGKILL'));
  const status = (): Promise<number> =>
    fetch(`http://127.0.0.1:${nodePort}/health/ready`).then(
      (answer) => answer.status,
      () => 0,
    );
  for (const giveUpMs = monotonicMs() + READY_MS; (await status()) !== 200; ) {
    if (monotonicMs() > giveUpMs) throw new Error('a node does not become ready');
    await pause(50);
  }
  return {
    /** Resolves with the exit code, how long it took, and what readiness said just after the signal. */
    async end() {
      const startedMs = monotonicMs();
      child.kill('SIGTERM');
      await pause(DELAY_MS / 2);
      const readiness = await status();
      const [code] = await closed;
      return { code, tookMs: monotonicMs() - startedMs, readiness };
    },
  };
}

const prepared = prepareConfig({ env: { TONGBAN_PROFILE: 'test' }, overrides: { dataDir, issuer } });
if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
const house = await openHouse(HASH.name === 'least' ? withoutHash(prepared.config) : prepared.config);
const added = await house.relyingParties.add(
  { client_name: '演练门户', redirect_uris: [REDIRECT_URI], scope: 'openid profile' },
  'drill',
);
if (!added.ok) throw new Error(JSON.stringify(added.faults));
const portal = { id: added.party.clientId, secret: added.secret ?? '' };
for (let n = 0; n < PEOPLE; n += 1) {
  const { identifier, name } = inventedPerson(n);
  const parsed = parseIdNumber(identifier);
  const hash = await house.passwords.prepare(PASSWORD);
  if (!parsed.ok || hash === 'busy') throw new Error('a person could not be added');
  const person = await house.persons.add({ idNumber: parsed.number, name, ial: 2, origin: 'drill' }, (tx, { id }) =>
    house.passwords.store(tx, id, hash, 'drill'),
  );
  if (!person.ok) throw new Error(person.reason);
}

/** From the portal's request to its tokens. */
async function signIn(n: number): Promise<void> {
  const browser = createBrowser(issuer);
  const away = (url: URL): boolean => url.origin !== issuer;
  await browser.get(authorizationPath(portal));
  await browser.follow(away);
  await browser.submit({ identifier: inventedPerson(n % PEOPLE).identifier, password: PASSWORD }, '/identify');
  await browser.follow(away);
  if (browser.page.text.includes('/consent"')) {
    await browser.submit({ decision: 'allow' }, '/consent');
    await browser.follow(away);
  }
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${portal.id}:${portal.secret}`)}` },
    body: new URLSearchParams(redemption(callbackOf(browser.page))),
  });
  if (answer.status !== 200) throw new Error(`token ${answer.status}: ${(await answer.text()).slice(0, 200)}`);
}

try {
  await startNginx({ teardown: (clean) => void cleanups.push(clean) }, port, nodes);
  let [one, two] = [await startNode(nodes[0]), await startNode(nodes[1])];
  const failed: string[] = [];
  const tookMs: number[] = [];
  const flows: Promise<void>[] = [];
  let stopped = false;
  const flow = async (n: number): Promise<void> => {
    const startedMs = monotonicMs();
    await signIn(n).then(
      () => tookMs.push(monotonicMs() - startedMs),
      (error: unknown) => failed.push(String(error).slice(0, 200)),
    );
  };
  const load = (async () => {
    const startedMs = monotonicMs();
    for (let n = 0; !stopped; n += 1) {
      flows.push(flow(n));
      await pause(Math.max(0, startedMs + ((n + 1) * 1000) / RATE - monotonicMs()));
    }
  })();
  await pause(DURATION_MS / 4);
  const first = await one.end();
  one = await startNode(nodes[0]);
  await pause(DURATION_MS / 4);
  const second = await two.end();
  two = await startNode(nodes[1]);
  await pause(DURATION_MS / 4);
  stopped = true;
  await load;
  await Promise.all(flows);
  for (const [name, { code, tookMs: endedMs, readiness }] of [
    ['the first node', first],
    ['the second node', second],
  ] as const) {
    expect(code === 0 && endedMs < END_MS, `${name} ended with ${code} after ${(endedMs / 1000).toFixed(1)} s`);
    expect(readiness === 503, `${name} said ${readiness} while it still served`);
  }
  const all = flows.length;
  expect(failed.length === 0, `${failed.length} of ${all} flows failed at ${RATE} a second`);
  for (const reason of [...new Set(failed)].slice(0, REASONS_MAX)) tell(reason);
  tell(`p50 ${Math.round(quantile(tookMs, 0.5))} ms, p99 ${Math.round(quantile(tookMs, 0.99))} ms`);
  await one.end();
  await two.end();
  const told = await ledgerEntries(house.database, 'server.stopped');
  expect(told.length === 4, `${told.length} of 4 ends are on record`);
  const tree = await house.database.get<{ signed: number }>('SELECT MAX(size) AS signed FROM ledger_checkpoints', []);
  const entries = await house.database.get<{ count: number }>('SELECT COUNT(*) AS count FROM ledger_entries', []);
  expect(tree?.signed === entries?.count, `${tree?.signed} of ${entries?.count} entries are signed`);
  tell(HASH.sentence);
  tell(machineSentence());
} finally {
  for (const clean of cleanups.reverse()) await clean();
  await house.close();
  await rm(dataDir, { recursive: true, force: true });
}
process.exitCode = report.exitCode();
