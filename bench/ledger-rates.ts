import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { createBlindIndex } from '../src/crypto/blind-index.ts';
import { createSealer } from '../src/crypto/sealing.ts';
import { createSoftwareSm2Signer } from '../src/crypto/sm2-software-signer.ts';
import { exportRange } from '../src/ledger/auditing/export-lines.ts';
import { parseVerifierKey } from '../src/ledger/checkpoints/checkpoint.ts';
import { ledgerKey } from '../src/ledger/checkpoints/ledger-key.ts';
import { createLedger, type LedgerEvent } from '../src/ledger/ledger.ts';
import { createOpenings } from '../src/ledger/openings.ts';
import { createLedgerReader, READ_MAX } from '../src/ledger/reader.ts';
import { startSequencer } from '../src/ledger/sequencing/sequencer.ts';
import { nodeFromTiles } from '../src/ledger/tree/tiles.ts';
import { liveSource } from '../src/ledger/verifying/live-source.ts';
import { verifyExport } from '../src/ledger/verifying/verify-export.ts';
import { verifyLive } from '../src/ledger/verifying/verify-live.ts';
import { createVerifyPool } from '../src/ledger/verifying/verify-pool.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';

/*
 * What the ledger can take and how fast it is judged: events appended in batches to SQLite with synchronous=FULL while the sequencer
 * numbers, hashes and signs them, then the tables and an export verified by threads. Bars: 20,000 events a second appended,
 * 100,000 entries a second verified.
 *
 *   node bench/ledger-rates.ts [--entries 200000]
 */

const ROOT_KEY = Buffer.from('a root key for measurements, long enough to be one');
const BATCH = 256;
const PEOPLE = 500;
const APPENDED_PER_SECOND_MIN = 20_000;
const VERIFIED_PER_SECOND_MIN = 100_000;

const { values: options } = parseArgs({ options: { entries: { type: 'string', default: '200000' } } });
const entriesCount = Number(options.entries);

/** Three of four are tokens of portals; the fourth concerns a person, with an address and a browser to be committed to. */
const eventAt = (at: number): LedgerEvent =>
  at % 4 === 0
    ? {
        type: 'portal.entered',
        personId: `psn_${at % PEOPLE}`,
        clientId: 'bench-portal',
        address: `192.0.2.${at % 200}`,
        userAgent: 'Mozilla/5.0 (measurement)',
        correlation: `r${at}`,
        details: { acr: 'urn:tongban:acr:1', scopes: 'openid profile' },
      }
    : {
        type: 'token.issued',
        clientId: 'bench-portal',
        hostAddress: '192.0.2.1',
        correlation: `r${at}`,
        details: { grantType: 'client_credentials', scopes: 'openid' },
      };

async function append(database: Database, write: (at: number, count: number) => Promise<void>): Promise<number> {
  const started = monotonicMs();
  for (let at = 0; at < entriesCount; at += BATCH) {
    await write(at, Math.min(BATCH, entriesCount - at));
    if (at % (BATCH * 400) === 0) process.stderr.write(`  ${at.toLocaleString('en')} appended\n`);
  }
  await database.get('SELECT 1 AS one', []);
  return (entriesCount * 1000) / (monotonicMs() - started);
}

async function writeExport(database: Database, file: string, key: ReturnType<typeof ledgerKey>): Promise<number> {
  const reader = createLedgerReader({ database, openings, index });
  const size = await reader.signedSize();
  const checkpoint = await database.get<{ note: string }>('SELECT note FROM ledger_checkpoints WHERE size = $1', [
    size,
  ]);
  const source = liveSource(database);
  async function* entries() {
    for (let from = 0; from < size; from += READ_MAX) {
      for (const { seq, entry } of await reader.read(from, READ_MAX)) yield { seq, entry };
    }
  }
  const lines = exportRange({
    origin: key.origin,
    key: key.verifierKey,
    from: 0,
    to: size,
    size,
    node: nodeFromTiles((level, position) => source.tile(level, position)),
    entries: entries(),
    notes: [checkpoint!.note],
  });
  await pipeline(Readable.from(lines), createWriteStream(file));
  return size;
}

const say = (what: string, perSecond: number, bar: number): void => {
  const verdict = perSecond >= bar ? 'holds' : 'MISSED';
  process.stdout.write(
    `${what}: ${Math.round(perSecond).toLocaleString('en')}/s, bar >= ${bar.toLocaleString('en')}: ${verdict}\n`,
  );
  if (perSecond < bar) process.exitCode = 1;
};

const folder = await mkdtemp(join(tmpdir(), 'tongban-ledger-rates-'));
const database = await openDatabase({ file: join(folder, 'tongban.db') });
const openings = createOpenings(database, createSealer(ROOT_KEY));
const index = createBlindIndex(ROOT_KEY);
const key = ledgerKey({ origin: 'bench.example/audit', file: '', kept: undefined, rootKey: ROOT_KEY });
const signer = createSoftwareSm2Signer(key.privateKeyHex);
try {
  const ledger = createLedger({ database, openings, index, node: 'bench' });
  const sequencer = startSequencer({ database, signer, origin: key.origin });
  const perSecond = await append(database, (at, count) =>
    database.write(async (tx) => {
      for (let n = at; n < at + count; n += 1) await ledger.append(tx, eventAt(n));
    }),
  );
  const behind = sequencer.lag().unsignedCount;
  const settling = monotonicMs();
  await sequencer.settle();
  const settledMs = monotonicMs() - settling;
  await sequencer.stop();
  say('appended in batches, sequencer running', perSecond, APPENDED_PER_SECOND_MIN);
  process.stdout.write(`  ${behind} were not signed yet; they were after ${settledMs.toFixed(0)} ms\n`);

  const threads = availableParallelism();
  const pool = createVerifyPool(threads);
  const trust = { key: parseVerifierKey(key.verifierKey)!, witnesses: [] };
  const liveStarted = monotonicMs();
  const live = await verifyLive(liveSource(database), { ...trust, pool });
  const liveMs = monotonicMs() - liveStarted;
  say(
    `tables verified (${live.verdict}, ${threads} threads)`,
    (live.counts.entries * 1000) / liveMs,
    VERIFIED_PER_SECOND_MIN,
  );

  const file = join(folder, 'export.jsonl');
  const size = await writeExport(database, file, key);
  const started = monotonicMs();
  const outcome = await verifyExport(file, { ...trust, pool });
  const seconds = (monotonicMs() - started) / 1000;
  say(
    `export of ${size.toLocaleString('en')} verified in ${seconds.toFixed(1)} s (${outcome.verdict})`,
    size / seconds,
    VERIFIED_PER_SECOND_MIN,
  );
  await pool.close();
  if (live.verdict !== 'good' || outcome.verdict !== 'good') process.exitCode = 2;
} finally {
  await signer.close();
  await database.close();
  await rm(folder, { recursive: true, force: true });
}
