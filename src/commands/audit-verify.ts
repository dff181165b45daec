import { readdir, readFile, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseVerifierKey, type VerifierKey } from '../ledger/checkpoints/checkpoint.ts';
import type { HeldNote } from '../ledger/verifying/held-notes.ts';
import { liveSource } from '../ledger/verifying/live-source.ts';
import type { Outcome } from '../ledger/verifying/verdict.ts';
import { verifyExport } from '../ledger/verifying/verify-export.ts';
import { verifyLive } from '../ledger/verifying/verify-live.ts';
import { createVerifyPool, type VerifyPool, verifyHere } from '../ledger/verifying/verify-pool.ts';
import type { Connection } from '../storage/database.ts';
import { keysIn } from './key-file.ts';
import { createProgress } from './progress.ts';

/** The stored ledger, opened to be read. */
export interface LedgerHouse {
  readonly database: Connection;
  /** The ledger's verifier key, as this house knows it. */
  readonly ledgerKey: { readonly verifierKey: string };
  close(): Promise<void>;
}

export interface AuditVerifyContext {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  /** Called for --live alone. */
  readonly openHouse: () => Promise<LedgerHouse>;
}

export const USAGE = `Usage:
  tongban audit verify --export FILE [--key TEXT|FILE]... [--checkpoints DIR] [--json]
  tongban audit verify --live [--key TEXT|FILE]... [--checkpoints DIR] [--json]

  --key          a verifier key you brought, of the ledger or of a witness, or a file with one a line
  --checkpoints  a folder with the checkpoints you brought, one a file (*.note)
Exit: 0 good, 1 tampered, 2 cannot decide.
`;

const EXIT: Readonly<Record<Outcome['verdict'], number>> = { good: 0, tampered: 1, undecided: 2 };
const NOTES_MAX = 100_000;
const NOTE_BYTES_MAX = 65_536;
const KEY_BYTES_MAX = 65_536;
/** Below this, starting threads takes longer than they save. */
const THREADS_FROM_BYTES = 8 * 1024 * 1024;
const THREADS_MAX = 16;

interface Wanted {
  readonly file: string | undefined;
  readonly keys: readonly string[];
  readonly checkpoints: string | undefined;
  readonly json: boolean;
}

/** `tongban audit verify ...`. Resolves with the exit code; what cannot be read is a sentence on stderr and exit 2. */
export async function run(args: readonly string[], context: AuditVerifyContext): Promise<number> {
  const wanted = understand(args);
  if (wanted === undefined) {
    context.stderr.write(USAGE);
    return EXIT.undecided;
  }
  try {
    const keys = await readKeys(wanted.keys);
    const held = wanted.checkpoints === undefined ? [] : await readNotes(wanted.checkpoints);
    const outcome = await verify(wanted, keys, held, context);
    context.stdout.write(wanted.json ? `${JSON.stringify(outcome)}\n` : describe(outcome));
    return EXIT[outcome.verdict];
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    context.stderr.write(`Cannot decide: ${error.message}\n`);
    return EXIT.undecided;
  }
}

function understand(args: readonly string[]): Wanted | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        export: { type: 'string' },
        live: { type: 'boolean', default: false },
        key: { type: 'string', multiple: true, default: [] },
        checkpoints: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    if ((values.export === undefined) !== values.live) return undefined;
    return { file: values.export, keys: values.key, checkpoints: values.checkpoints, json: values.json };
  } catch {
    return undefined;
  }
}

async function verify(
  { file }: Wanted,
  keys: readonly VerifierKey[],
  held: readonly HeldNote[],
  { stderr, openHouse }: AuditVerifyContext,
): Promise<Outcome> {
  const ledgerKey = keys.find(({ type }) => type === 'sm2-sm3');
  const witnesses = keys.filter(({ type }) => type !== 'sm2-sm3');
  const progress = createProgress(stderr, 'entries');
  const withPool = async (worthThreads: boolean, work: (pool: VerifyPool) => Promise<Outcome>): Promise<Outcome> => {
    const pool = worthThreads ? createVerifyPool(Math.min(availableParallelism(), THREADS_MAX)) : verifyHere;
    try {
      return await work(pool);
    } finally {
      await pool.close();
      progress.end();
    }
  };
  const common = { witnesses, held, onProgress: progress.at };
  if (file !== undefined) {
    const { size } = await stat(file);
    return withPool(size >= THREADS_FROM_BYTES, (pool) => verifyExport(file, { ...common, key: ledgerKey, pool }));
  }
  const house = await openHouse();
  try {
    const key = ledgerKey ?? parseVerifierKey(house.ledgerKey.verifierKey);
    if (key === undefined) throw new Error('the verifier key of this house is not well formed');
    return await withPool(true, (pool) => verifyLive(liveSource(house.database), { ...common, key, pool }));
  } finally {
    await house.close();
  }
}

/** Keys given as text or as files with one a line. Throws when one of them is neither. */
async function readKeys(given: readonly string[]): Promise<readonly VerifierKey[]> {
  const keys: VerifierKey[] = [];
  for (const value of given) {
    const direct = parseVerifierKey(value);
    const texts = direct === undefined ? keysIn(await readSmall(value, KEY_BYTES_MAX)) : [];
    const parsed = texts.map(parseVerifierKey);
    if (!parsed.every((key) => key !== undefined)) throw new Error('a key given with --key is no verifier key');
    keys.push(...(direct === undefined ? parsed : [direct]));
  }
  return keys;
}

async function readNotes(folder: string): Promise<readonly HeldNote[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.note')).sort();
  if (names.length > NOTES_MAX) throw new Error(`more than ${NOTES_MAX} checkpoints were brought`);
  const notes: HeldNote[] = [];
  for (const name of names) {
    notes.push({ note: await readSmall(join(folder, name), NOTE_BYTES_MAX), broughtAs: name });
  }
  return notes;
}

/** At most `bytesMax` bytes of a file as text: what is longer is no key and no note anyway. */
async function readSmall(file: string, bytesMax: number): Promise<string> {
  const { size } = await stat(file);
  return size > bytesMax ? '' : (await readFile(file)).toString('utf8');
}

function describe({ verdict, reason, firstBad, between, checkpoint, counts }: Outcome): string {
  const lines = [
    `${verdict.toUpperCase()}: ${reason}`,
    ...(firstBad === undefined ? [] : [`First bad sequence number: ${firstBad}`]),
    ...(between === undefined ? [] : [`The first bad entry lies from ${between.from} to before ${between.to}.`]),
    ...(checkpoint === undefined ? [] : [`Checkpoint: size ${checkpoint}`]),
    `Entries ${counts.from} to before ${counts.to}: ${counts.entries} judged, ${counts.beyond} not signed yet.`,
    `Checkpoints: ${counts.checkpoints} (${counts.checkpointsBySignature} by signature only), cosignatures: ${counts.cosignatures} (${counts.cosignaturesUnknown} by witnesses without a key here).`,
    `Openings: ${counts.openings}, removals: ${counts.prunes}, clock steps: ${counts.clockSteps}.`,
  ];
  return `${lines.join('\n')}\n`;
}
