import { dirname } from 'node:path';
import type { PrepareOutcome } from '../config/prepare.ts';
import type { Config } from '../config/schema.ts';
import { missingSecrets } from '../config/secrets.ts';
import { sm3 } from '../crypto/digests.ts';
import { openKeys, openMaster } from '../key-doors.ts';
import { parseVerifierKey } from '../ledger/checkpoints/checkpoint.ts';
import { keptLedgerKey, ledgerKey, ledgerOrigin } from '../ledger/checkpoints/ledger-key.ts';
import { createLedger } from '../ledger/ledger.ts';
import { createOpenings } from '../ledger/openings.ts';
import { liveSource } from '../ledger/verifying/live-source.ts';
import type { Outcome } from '../ledger/verifying/verdict.ts';
import { verifyLive } from '../ledger/verifying/verify-live.ts';
import { nodeName } from '../ledger-doors.ts';
import { Fault } from '../shared/fault.ts';
import type { Connection, Database } from '../storage/database.ts';
import { openMoveSource } from '../storage/moving/move-source.ts';
import { beginMove, endMove } from '../storage/moving/move-state.ts';
import { carryRows, compareStores, markOf, rowCounts, standingOf } from '../storage/moving/move-store.ts';
import { type MovedTable, movedTables } from '../storage/moving/moved-tables.ts';
import { connectForLong, openDatabase } from '../storage/open.ts';
import { describeCompared, describePlan, type MoveWords, USAGE, understand } from './move-words.ts';
import { exists } from './private-file.ts';
import { createProgress } from './progress.ts';

export interface MoveContext {
  readonly operator: string;
  /** The configuration in force, without writing anything, for the data folder of the file and, where one is named, another store. */
  readonly check: (dataDir: string, url: string | undefined) => PrepareOutcome;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

/** 0 done, 1 refused (a sentence on stderr), 2 not understood (the usage on stderr) or a wrong configuration. */
export type ExitCode = 0 | 1 | 2;

/** Ends the command with a sentence and exit code 1. */
class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** `tongban move ...`. Resolves with the exit code. */
export async function run(args: readonly string[], context: MoveContext): Promise<ExitCode> {
  const { stderr } = context;
  const words = understand(args);
  if (words === undefined) {
    stderr.write(USAGE);
    return 2;
  }
  const checked = context.check(dirname(words.file), words.to);
  if (!checked.ok) {
    stderr.write(`${checked.sentences.join('\n')}\n`);
    return checked.exitCode;
  }
  try {
    await refuseUnready(words, checked.config);
    await move(words, checked.config, context);
    return 0;
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof Fault)) throw error;
    stderr.write(`${error instanceof Fault ? error.forOperator : error.message}\n`);
    return 1;
  }
}

/** Before anything is locked or asked for long: is there a target, is there a file, and do these secrets open what is in it? */
async function refuseUnready({ file }: MoveWords, config: Config): Promise<void> {
  if (config.database.url === '') throw new Refusal('Say where to: --to postgres://... or TONGBAN_DATABASE_URL.');
  if (!(await exists(file))) throw new Refusal(`There is no file ${file}.`);
  const missing = missingSecrets(config, config.secrets);
  if (missing.length > 0)
    throw new Refusal(
      `secrets.${missing.join(', secrets.')} are neither configured nor in ${dirname(file)}: what is sealed there could not be opened.`,
    );
  const database = await openDatabase({ file }, { mayMigrate: false });
  try {
    const { ring } = await openKeys(config, database, await openMaster(config, database), () => {});
    ring.close();
  } finally {
    await database.close();
  }
}

async function move(words: MoveWords, config: Config, context: MoveContext): Promise<void> {
  const { stdout } = context;
  const source = await openMoveSource(words.file);
  try {
    const target = await connectForLong({ url: config.database.url });
    try {
      const tables = await movedTables(source);
      const mark = await markOf(source, sm3);
      const moved = await movedSoFar(target, tables, mark);
      stdout.write(describePlan(await rowCounts(source, tables), moved ?? 0));
      if (words.dryRun) return void stdout.write('It can be done. Nothing was changed.\n');
      if (moved === undefined) await beginMove(target, tables, mark);
      await carryAndCompare(source, target, tables, { config, context });
    } finally {
      await target.close();
    }
  } finally {
    source.close();
  }
}

/** How many rows of this move are there already; undefined before it has begun. Throws `Refusal` for a target that is not ours to fill. */
async function movedSoFar(target: Database, tables: readonly MovedTable[], mark: string): Promise<number | undefined> {
  const standing = await standingOf(target, tables, mark);
  switch (standing.kind) {
    case 'empty':
      return undefined;
    case 'begun':
      return [...standing.state.tables.values()].reduce((sum, { moved }) => sum + moved, 0);
    case 'occupied':
      throw new Refusal(
        `There is something in ${standing.table} of the target already. A move wants an empty one, and this was left as it is.`,
      );
    case 'another':
      throw new Refusal(
        'The target holds part of another store, or this one was worked on after its move began. Empty the target and begin anew.',
      );
  }
}

async function carryAndCompare(
  source: Pick<Connection, 'all'>,
  target: Database,
  tables: readonly MovedTable[],
  { config, context }: { readonly config: Config; readonly context: MoveContext },
): Promise<void> {
  const { stdout, stderr } = context;
  const withProgress = async <T>(
    unit: string,
    work: (at: (done: number, total: number) => void) => Promise<T>,
  ): Promise<T> => {
    const progress = createProgress(stderr, unit);
    return work(progress.at).finally(progress.end);
  };
  await withProgress('rows', (at) => carryRows(source, target, tables, at));
  const compared = await withProgress('rows compared', (onProgress) =>
    compareStores(source, target, tables, { hash: sm3, onProgress }),
  );
  stdout.write(describeCompared(compared));
  if (compared.some(({ same }) => !same))
    throw new Refusal(
      'The target differs from the file; it was left as it is, and no server opens it. Empty it and begin anew.',
    );
  const outcome = await withProgress('entries', (onProgress) => verified(target, config, onProgress));
  if (outcome.verdict === 'tampered' || (outcome.verdict === 'undecided' && outcome.counts.checkpoints > 0))
    throw new Refusal(`The ledger does not verify: ${outcome.reason} No server opens the target.`);
  const rows = compared.reduce((sum, table) => sum + table.rows, 0);
  await finish(target, config, {
    tables: compared.length,
    rows,
    size: outcome.counts.size,
    operator: context.operator,
  });
  stdout.write(
    `The ledger: ${outcome.counts.size} signed entries, their root computed anew. ${outcome.counts.beyond} wait for a signature.\n` +
      `${rows} rows in ${compared.length} tables are moved and compared. The target may be served; put the file away.\n`,
  );
}

/** Hashes the whole ledger of the target anew, against every checkpoint that was carried. */
async function verified(
  target: Database,
  config: Config,
  onProgress: (done: number, total: number) => void,
): Promise<Outcome> {
  const master = await openMaster(config, target);
  const { verifierKey } = ledgerKey({
    origin: await ledgerOrigin(target, config.ledger.origin, config.issuer),
    file: config.ledger.signingKeyFile,
    kept: await keptLedgerKey(target, master),
    rootKey: master.root,
  });
  const key = parseVerifierKey(verifierKey);
  if (key === undefined) throw new Refusal('The verifier key of the ledger is not well formed.');
  return verifyLive(liveSource(target), { key, witnesses: [], onProgress });
}

/** The ledger tells of the move in the transaction that lets servers in. */
async function finish(
  target: Database,
  config: Config,
  {
    operator,
    ...details
  }: { readonly tables: number; readonly rows: number; readonly size: number; readonly operator: string },
): Promise<void> {
  const { ring, sealer, index } = await openKeys(config, target, await openMaster(config, target), () => {});
  try {
    const ledger = createLedger({
      database: target,
      openings: createOpenings(target, sealer),
      index,
      node: nodeName(),
      operator: `operator:${operator}`,
    });
    await target.write(async (tx) => {
      await endMove(tx);
      await ledger.append(tx, { type: 'server.moved', details });
    });
  } finally {
    ring.close();
  }
}
