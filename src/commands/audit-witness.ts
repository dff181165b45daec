import { readFileSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { createSm2Verifier, createSoftwareSm2Signer, sm2PublicKey } from '../crypto/sm2-software-signer.ts';
import { encodeVerifierKey, parseVerifierKey, type VerifierKey } from '../ledger/checkpoints/checkpoint.ts';
import { isAdmitted } from '../ledger/witness/witness.ts';
import { Witness, type WitnessReport } from '../ledger/witness/witness-round.ts';
import { createWitnessSource } from '../ledger/witness/witness-source.ts';
import { type WitnessKey, WitnessState, WitnessStateDamaged } from '../ledger/witness/witness-state.ts';
import { nowMs } from '../shared/clock.ts';
import { keysIn } from './key-file.ts';

export interface WitnessCommandContext {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** Ends a witness that runs on; by default SIGINT and SIGTERM do. */
  readonly signal?: AbortSignal;
}

export const USAGE = `tongban audit witness --url URL --key TEXT|FILE --name NAME --state DIR [--once] [--interval SECONDS] [--ca FILE]
tongban audit witness key --state DIR [--name NAME]     this witness's own key, for those who check its signatures
`;

const OPTIONS = {
  url: { type: 'string' },
  key: { type: 'string' },
  name: { type: 'string' },
  state: { type: 'string' },
  once: { type: 'boolean' },
  interval: { type: 'string' },
  ca: { type: 'string' },
} as const;

const ADDRESS_LENGTH_MAX = 2048;
const PATH_LENGTH_MAX = 4096;
const INTERVAL_SECONDS = 60;
const FILE_BYTES_MAX = 1024 * 1024;

const nameOf = z
  .string('--name is missing.')
  .regex(/^[!-*,-~]{1,128}$/, '--name is 1 to 128 printable ASCII characters without space and plus.');
const stateOf = z
  .string('--state is missing.')
  .min(1, '--state is empty.')
  .max(PATH_LENGTH_MAX, '--state is too long.');

const keyWords = z.strictObject({ state: stateOf, name: nameOf.optional() });
const witnessWords = z.strictObject({
  url: z
    .string('--url is missing.')
    .max(ADDRESS_LENGTH_MAX, '--url is too long.')
    .refine(isLedgerAddress, '--url is the http or https address under which the ledger is shown, without ? and #.'),
  key: z.string('--key is missing.').min(1, '--key is empty.').max(PATH_LENGTH_MAX, '--key is too long.'),
  name: nameOf,
  state: stateOf,
  once: z.boolean().default(false),
  interval: z
    .string()
    .regex(/^[1-9]\d{0,4}$/, '--interval is a number of seconds from 1 to 99999.')
    .default(`${INTERVAL_SECONDS}`),
  ca: z.string().max(PATH_LENGTH_MAX, '--ca is too long.').optional(),
});

function isLedgerAddress(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && ['http:', 'https:'].includes(url.protocol) && url.search === '' && url.hash === '';
}

/** A refusal in one sentence: the command line or a file it names is not as it should be. */
class Refused extends Error {
  override readonly name = 'Refused';
}

/**
 * `tongban audit witness ...`: runs elsewhere, under another administrator, and needs neither configuration nor store of this
 * house. 0: the ledger only grew, or the running witness was ended in order. 1: with `--once`, the checkpoint was not cosigned,
 * or it could not be had; or the witness's own folder is damaged. 2: the command line is not understood.
 */
export async function run(args: readonly string[], context: WitnessCommandContext): Promise<number> {
  try {
    const { values, positionals } = parseWords(args);
    if (positionals.length === 0) return await watch(accept(witnessWords, values), context);
    if (positionals.length > 1 || positionals[0] !== 'key') throw new Refused(USAGE.trimEnd());
    return await showKey(accept(keyWords, values), context);
  } catch (error) {
    if (!(error instanceof Refused) && !(error instanceof WitnessStateDamaged)) throw error;
    context.stderr.write(`${error.message}\n`);
    return error instanceof Refused ? 2 : 1;
  }
}

function parseWords(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new Refused(`${error instanceof Error ? error.message : String(error)}\n${USAGE.trimEnd()}`);
  }
}

function accept<Words>(schema: z.ZodType<Words>, values: unknown): Words {
  const read = schema.safeParse(values);
  if (read.success) return read.data;
  throw new Refused(read.error.issues.map(({ message }) => message).join('\n'));
}

async function showKey({ state: folder, name }: z.infer<typeof keyWords>, { stdout }: WitnessCommandContext) {
  const { name: known, privateKeyHex } = await ownKey(new WitnessState(folder), name);
  stdout.write(`${encodeVerifierKey(known, 'cosignature-sm2/v1', sm2PublicKey(privateKeyHex))}\n`);
  return 0;
}

/** A key keeps its name: what was signed under one cannot be checked under another. */
async function ownKey(state: WitnessState, name: string | undefined): Promise<WitnessKey> {
  const known = await state.key();
  if (known !== undefined && name !== undefined && known.name !== name) {
    throw new Refused(`This witness is called ${known.name}. Another name needs another folder.`);
  }
  if (known !== undefined) return known;
  if (name === undefined) throw new Refused('There is no key yet: give --name to make one.');
  return state.createKey(name);
}

async function watch(words: z.infer<typeof witnessWords>, context: WitnessCommandContext): Promise<number> {
  const trusted = ledgerKey(words.key);
  const ca = words.ca === undefined ? undefined : readText(words.ca, '--ca');
  const state = new WitnessState(words.state);
  const key = await ownKey(state, words.name);
  const signer = createSoftwareSm2Signer(key.privateKeyHex);
  try {
    const witness = new Witness({
      source: createWitnessSource({ url: new URL(words.url), ca }),
      state,
      verifier: { ...createSm2Verifier(trusted.publicKey), name: trusted.name },
      name: key.name,
      signer,
      held: await state.held(key),
    });
    if (!words.once) return await watchOn(witness, Number(words.interval) * 1000, context);
    const report = await witness.visit();
    tell(report, context);
    return isAdmitted(report.outcome) ? 0 : 1;
  } finally {
    await signer.close();
  }
}

/** Visits again and again, and says something when what it finds is of another kind than the time before. */
async function watchOn(witness: Witness, intervalMs: number, context: WitnessCommandContext): Promise<number> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const signal = context.signal ?? ending.signal;
  process.once('SIGINT', end).once('SIGTERM', end);
  let before: WitnessReport['outcome'] | undefined;
  try {
    while (!signal.aborted) {
      const report = await witness.visit();
      // A ledger at rest and one that grows are both in order.
      const unchanged =
        report.outcome === before || (isAdmitted(report.outcome) && before !== undefined && isAdmitted(before));
      if (!unchanged) tell(report, context);
      before = report.outcome;
      // The signal that ends the witness ends its pause with a rejection, and the loop looks at the signal itself.
      await delay(intervalMs, undefined, { signal }).catch(() => {});
    }
    return 0;
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}

function tell({ outcome, sentence }: WitnessReport, { stdout, stderr }: WitnessCommandContext): void {
  const line = `${new Date(nowMs()).toISOString()} ${outcome}: ${sentence}\n`;
  if (isAdmitted(outcome)) stdout.write(line);
  else stderr.write(line);
}

/** The key of the ledger, given as its text or in a file. */
function ledgerKey(textOrFile: string): VerifierKey {
  const key = parseVerifierKey(textOrFile) ?? parseVerifierKey(keysIn(readText(textOrFile, '--key')).join('\n'));
  if (key?.type === 'sm2-sm3') return key;
  throw new Refused('--key is not the key of a ledger: name, key id and public key, divided by +.');
}

function readText(file: string, option: string): string {
  try {
    if (statSync(file).size <= FILE_BYTES_MAX) return readFileSync(file, 'utf8');
  } catch {
    // Falls through: whatever the reason, the sentence is the same.
  }
  throw new Refused(`${option}: ${file} cannot be read.`);
}
