import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { prepareConfig } from '../src/config/prepare.ts';
import { parseVerifierKey } from '../src/ledger/checkpoints/checkpoint.ts';
import { ledgerKey, ledgerOrigin } from '../src/ledger/checkpoints/ledger-key.ts';
import { liveSource } from '../src/ledger/verifying/live-source.ts';
import { verifyLive } from '../src/ledger/verifying/verify-live.ts';
import { openDatabase } from '../src/storage/open.ts';
import { createBrowser } from './support/http-client.ts';
import { freshFolder, freshPlace, type Place, type Product, startProduct, tongban } from './support/product.ts';
import { authorizationPath, REDIRECT_URI, type TestPortal } from './support/server.ts';

const CRASHES = 50;
const MACHINES = 4;
const GUESSERS = 2;
const QUICK = {
  TONGBAN_PASSWORD_MEMORY_KIB: '7168',
  TONGBAN_PASSWORD_ITERATIONS: '1',
  TONGBAN_DEMO_PORTALS: 'false',
  // Whoever guesses is to be refused, and on record, and not only asked for work.
  TONGBAN_DEFENCE_PROOF_AFTER_ADDRESS: '1000000',
  TONGBAN_DEFENCE_PROOF_AFTER_NETWORK: '1000000',
  TONGBAN_DEFENCE_PROOF_AFTER_MINUTE: '1000000',
};

async function addPortal(t: ExecutionContext, { dataDir }: Place): Promise<TestPortal> {
  const folder = await freshFolder(t);
  await mkdir(folder);
  const file = join(folder, 'portal.json');
  const record = {
    client_name: '统计服务',
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code', 'client_credentials'],
    scope: 'openid profile',
  };
  await writeFile(file, JSON.stringify(record));
  const added = await tongban(['client', 'add', file, '--json'], { ...QUICK, TONGBAN_DATA_DIR: dataDir });
  if (added.code !== 0) throw new Error(added.stderr);
  const { client_id: id, client_secret: secret } = JSON.parse(added.stdout);
  return { id, secret };
}

/** Asks for tokens until the process dies; the request ids of what was answered are noted. */
async function askForTokens({ issuer }: Product, portal: TestPortal, answered: string[]): Promise<void> {
  const authorization = `Basic ${Buffer.from(`${portal.id}:${portal.secret}`).toString('base64')}`;
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' };
  try {
    for (;;) {
      const answer = await fetch(`${issuer}/token`, { method: 'POST', headers, body: 'grant_type=client_credentials' });
      if (answer.status !== 200) continue;
      await answer.text();
      answered.push(answer.headers.get('x-request-id')!);
    }
  } catch {
    // The process is gone: what was under way was not answered.
  }
}

/** Signs in with a wrong password until the process dies: events that change nothing else. */
async function guess({ issuer }: Product, portal: TestPortal, refused: { count: number }): Promise<void> {
  try {
    for (;;) {
      const browser = createBrowser(issuer);
      await browser.get(authorizationPath(portal));
      await browser.follow((url) => url.href.startsWith(REDIRECT_URI));
      const page = await browser.submit({ identifier: '339900199001011014', password: 'not this one' }, '/identify');
      if (page.status === 400 || page.status === 401) refused.count += 1;
    }
  } catch {
    // As above.
  }
}

/** What stands in the ledger by now, and whether it is what was signed. */
async function judge(t: ExecutionContext, { dataDir }: Place, answered: readonly string[], crash: number) {
  const prepared = prepareConfig({ env: { TONGBAN_DATA_DIR: dataDir } });
  if (!prepared.ok) throw new Error(prepared.sentences.join());
  const { config } = prepared;
  const database = await openDatabase({ file: join(dataDir, 'tongban.db') });
  const key = ledgerKey({
    origin: await ledgerOrigin(database, '', config.issuer),
    file: '',
    kept: undefined,
    rootKey: Buffer.from(config.secrets.encryptionKey),
  });
  try {
    const outcome = await verifyLive(liveSource(database), { key: parseVerifierKey(key.verifierKey)!, witnesses: [] });
    t.is(outcome.verdict, 'good', `after crash ${crash}: ${outcome.reason}`);
    const rows = await database.all<{ entry: string }>('SELECT entry FROM ledger_entries', []);
    const entries = rows.map(
      ({ entry }) => JSON.parse(entry) as { corr: string; type: string; data: { repeated?: number } },
    );
    const known = new Set(entries.map(({ corr }) => corr));
    t.deepEqual(
      answered.filter((id) => !known.has(id)),
      [],
      `lost after crash ${crash}`,
    );
    return entries
      .filter(({ type }) => type === 'sign-in.refused')
      .reduce((sum, { data }) => sum + (data.repeated ?? 1), 0);
  } finally {
    await database.close();
  }
}

test('L8 L10 L17 fifty times the process dies under load: no acknowledged event is lost, and the ledger verifies', async (t) => {
  t.timeout(300_000);
  const place = await freshPlace(t);
  const portal = await addPortal(t, place);
  const answered: string[] = [];
  const refused = { count: 0 };
  for (let crash = 1; crash <= CRASHES; crash += 1) {
    const product = await startProduct(t, place, QUICK);
    const load = [
      ...Array.from({ length: MACHINES }, () => askForTokens(product, portal, answered)),
      ...Array.from({ length: GUESSERS }, () => guess(product, portal, refused)),
    ];
    await new Promise((resolve) => setTimeout(resolve, 100 + ((crash * 37) % 400)));
    t.is(await product.end('SIGKILL'), null);
    await Promise.all(load);
    if (crash % 5 === 0 || crash === CRASHES) {
      t.true((await judge(t, place, answered, crash)) >= refused.count, 'refusals that were answered are counted');
    }
  }
  t.true(answered.length > CRASHES * 5 && refused.count > 10, 'the crashes hit a server at work');
  t.log(`${answered.length} answered token requests and ${refused.count} refusals over ${CRASHES} crashes, none lost`);
});
