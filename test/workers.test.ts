import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { Verdict } from '../src/monitoring/readiness.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { openDatabase } from '../src/storage/open.ts';
import { embeddedTest, postgresStore, postgresTest } from './support/databases.ts';
import { parseExposition, type Scrape } from './support/exposition.ts';
import { createBrowser, type HttpBrowser } from './support/http-client.ts';
import { ledgerEntries } from './support/ledger.ts';
import { freshPlace, startProduct, tongban } from './support/product.ts';
import { authorizationPath, freePort, REDIRECT_URI, redemption, type TestPortal } from './support/server.ts';
import { until } from './support/waiting.ts';

const PASSWORD = 'one-login-for-all';
const [WANG, LI, CHEN] = ['339900199001011014', '33990019850701009X', '449900200002290028'] as const;
const HAND_OVER_MS_MAX = 10_000;
const PATIENCE_MS = 40_000;

const back = (url: URL): boolean => url.href.startsWith(REDIRECT_URI);

/** A product of two workers with a portal, and what looks at it from outside. Every request has a connection of its own. */
async function twoWorkers(t: ExecutionContext, engine: 'sqlite' | 'postgres', more: Record<string, string> = {}) {
  const place = await freshPlace(t);
  const monitoring = await freePort();
  const url = engine === 'postgres' ? await postgresStore(t) : '';
  const env = {
    TONGBAN_PROFILE: 'demo',
    TONGBAN_WORKERS: '2',
    TONGBAN_DEMO_PORTALS: 'false',
    TONGBAN_MONITORING_PORT: String(monitoring),
    TONGBAN_PASSWORD_MEMORY_KIB: '7168',
    TONGBAN_PASSWORD_ITERATIONS: '1',
    TONGBAN_PASSWORD_QUEUE_MAX: '1000',
    TONGBAN_PASSWORD_QUEUE_DEADLINE_MS: '20000',
    ...(url === '' ? {} : { TONGBAN_DATABASE_URL: url, TONGBAN_DATABASE_CONNECT_TIMEOUT_MS: '20000' }),
    ...more,
  };
  const product = await startProduct(t, place, env);
  const database = await openDatabase(url === '' ? { file: join(place.dataDir, 'tongban.db') } : { url, poolMax: 2 });
  t.teardown(() => database.close());
  const log = async () => (await readFile(join(place.dataDir, 'tongban.log'), 'utf8')).split('\n');
  /** The process of each worker, by number, as the log has it last. */
  const pids = async (): Promise<ReadonlyMap<number, number>> => {
    const lines = (await log()).filter((line) => line.includes('a worker serves'));
    return new Map(lines.map((line) => JSON.parse(line)).map(({ worker, pid }) => [worker, pid]));
  };
  const verdict = async (): Promise<Verdict> =>
    (await (await fetch(`http://127.0.0.1:${monitoring}/readyz`)).json()) as Verdict;
  const metrics = async (): Promise<Scrape> =>
    parseExposition(await (await fetch(`http://127.0.0.1:${monitoring}/metrics`)).text());
  const file = join(`${place.dataDir}-portal.json`);
  const record = { client_name: '门户', redirect_uris: [REDIRECT_URI], scope: 'openid profile' };
  await mkdir(place.dataDir, { recursive: true });
  await writeFile(file, JSON.stringify(record));
  const command = (...args: readonly string[]) => tongban(args, { ...env, TONGBAN_DATA_DIR: place.dataDir });
  const { client_id: id, client_secret: secret } = JSON.parse((await command('client', 'add', file, '--json')).stdout);
  const portal: TestPortal = { id, secret };
  return { product, database, pids, log, verdict, metrics, portal, command };
}

type World = Awaited<ReturnType<typeof twoWorkers>>;

/** Through sign-in and consent, until the portal has a code. */
async function signIn(
  { product, portal }: World,
  identifier: string,
): Promise<{ browser: HttpBrowser; callback: URL }> {
  const browser = createBrowser(product.issuer);
  await browser.get(authorizationPath(portal));
  await browser.follow(back);
  await browser.submit({ identifier, password: PASSWORD }, '/identify');
  await browser.follow(back);
  if (browser.page.text.includes('/consent"')) {
    await browser.submit({ decision: 'allow' }, '/consent');
    await browser.follow(back);
  }
  return { browser, callback: new URL(browser.page.location ?? 'about:blank') };
}

const redeem = ({ product, portal }: World, callback: URL): Promise<Response> =>
  fetch(`${product.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${portal.id}:${portal.secret}`)}`, connection: 'close' },
    body: new URLSearchParams(redemption(callback)),
  });

for (const [engine, engineTest] of [
  ['sqlite', embeddedTest],
  ['postgres', postgresTest],
] as const) {
  engineTest.serial(`R1 D7 two workers are one server (${engine})`, async (t) => {
    t.timeout(240_000);
    const world = await twoWorkers(t, engine);
    const { database, verdict, metrics, product } = world;
    t.true(await until(async () => (await verdict()).checks.workers?.detail === '2 of 2 serve', PATIENCE_MS));
    t.is((product.said().match(/Password of all three/g) ?? []).length, 1, 'the box is printed once');

    for (const identifier of [WANG, LI, CHEN, WANG]) {
      const { callback } = await signIn(world, identifier);
      t.regex(callback.search, /[?&]code=/, 'a sign-in goes from worker to worker');
      const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(world, callback)));
      t.is(answers.filter(({ status }) => status === 200).length, 1, 'a code works once over both');
    }
    const nodes = new Set((await ledgerEntries(database)).map(({ node }) => node));
    t.deepEqual([...nodes].map((node) => node.split('/')[1] ?? 'command').sort(), ['1', '2', 'command']);
    t.is((await ledgerEntries(database, 'server.started')).length, 1, 'told once');

    const signIns = async (): Promise<number> =>
      (await metrics()).samples
        .filter(({ name, labels }) => name === 'tongban_sign_ins_total' && labels.outcome === 'succeeded')
        .reduce((sum, { value }) => sum + value, 0);
    t.true(await until(async () => (await signIns()) === 4, PATIENCE_MS), 'sums of both');
    t.is((await metrics()).value('tongban_workers'), 2);

    const browsers = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const browser = createBrowser(product.issuer);
        await browser.get(authorizationPath(world.portal));
        await browser.follow(back);
        return browser;
      }),
    );
    await Promise.all(
      browsers.map((browser, at) => browser.submit({ identifier: LI, password: `wrong ${at}` }, '/identify')),
    );
    const refused = await ledgerEntries(database, 'sign-in.refused');
    const verdicts = refused
      .filter(({ data }) => data.reason === 'mismatch')
      .reduce((sum, { data }) => sum + Number(data.repeated ?? 1), 0);
    t.true(verdicts <= 5, `${verdicts} verdicts`);
    t.true(verdicts > 0);

    t.is(await product.end('SIGTERM'), 0);
    t.is((await ledgerEntries(database, 'server.stopped')).length, 1);
    const lines = (await world.log())
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { worker?: number });
    t.deepEqual(
      [...new Set(lines.map(({ worker }) => worker))].filter(Number).sort(),
      [1, 2],
      'lines name their worker',
    );
  });

  engineTest.serial(`X1 L9 a worker that is killed takes nothing acknowledged with it (${engine})`, async (t) => {
    t.timeout(240_000);
    const world = await twoWorkers(t, engine);
    const { database, verdict, pids, portal, command, product, metrics } = world;
    const serving = async (): Promise<boolean> => (await verdict()).checks.workers?.state === 'ok';
    t.true(await until(serving, PATIENCE_MS));
    const visits: HttpBrowser[] = [];
    let isOver = false;
    const lane = async (identifier: string): Promise<void> => {
      while (!isOver) {
        // What is under way at the worker that dies is lost, and was acknowledged to nobody.
        const { browser, callback } = await signIn(world, identifier).catch(() => ({
          browser: undefined,
          callback: undefined,
        }));
        if (browser !== undefined && callback?.searchParams.has('code')) visits.push(browser);
      }
    };
    const lanes = [WANG, LI, CHEN].map(lane);
    const signedSize = async (): Promise<number> =>
      Number((await database.get<{ size: number }>('SELECT max(size) AS size FROM ledger_checkpoints', []))?.size ?? 0);

    // One of the two is the sequencer, whichever it is.
    for (const worker of [1, 2]) {
      const before = visits.length;
      t.true(await until(() => visits.length >= before + 3, PATIENCE_MS));
      const pid = (await pids()).get(worker);
      process.kill(pid ?? 0, 'SIGKILL');
      const [killedMs, size] = [monotonicMs(), (await ledgerEntries(database)).length];
      t.true(await until(async () => (await signedSize()) > size, PATIENCE_MS), 'the ledger is signed on');
      const tookMs = monotonicMs() - killedMs;
      t.true(tookMs < HAND_OVER_MS_MAX, `handed over after ${Math.round(tookMs)} ms`);
      t.log(`worker ${worker} killed: signed on after ${Math.round(tookMs)} ms`);
      t.true(
        await until(async () => (await pids()).get(worker) !== pid && (await serving()), PATIENCE_MS),
        'restarted',
      );
    }
    isOver = true;
    await Promise.all(lanes);
    t.is((await metrics()).value('tongban_worker_restarts_total'), 2);
    for (const browser of visits) {
      await browser.get(authorizationPath(portal, { prompt: 'none' }));
      t.regex(browser.page.location ?? '', /[?&]code=/, 'a session that was acknowledged is there');
    }
    t.log(`${visits.length} sign-ins`);
    t.is(await product.end('SIGTERM'), 0);
    t.is((await ledgerEntries(database, 'server.started')).length, 1, 'a worker that comes back is no start');
    const verified = await command('audit', 'verify', '--live');
    t.is(verified.code, 0, verified.stdout + verified.stderr);
  });
}

test('nonsense for the number of workers is refused in a sentence', async (t) => {
  for (const workers of ['0', '-1', '65', 'many', '1.5', '']) {
    const { code, stderr } = await tongban(['config', 'check'], { TONGBAN_PROFILE: 'demo', TONGBAN_WORKERS: workers });
    t.is(code, 2, workers);
    t.regex(stderr, /workers.*must be auto or a whole number from 1 to 64/, workers);
  }
  t.is((await tongban(['config', 'check'], { TONGBAN_PROFILE: 'demo', TONGBAN_WORKERS: 'auto' })).code, 0);
});
