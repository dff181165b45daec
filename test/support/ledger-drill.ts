import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSm2Verifier } from '../../src/crypto/sm2-software-signer.ts';
import { type NoteVerifier, parseNote } from '../../src/ledger/checkpoints/checkpoint.ts';
import { liveSource } from '../../src/ledger/verifying/live-source.ts';
import type { Outcome } from '../../src/ledger/verifying/verdict.ts';
import { verifyExport } from '../../src/ledger/verifying/verify-export.ts';
import type { NoteResult, ResultOf, VerifyJob } from '../../src/ledger/verifying/verify-jobs.ts';
import { verifyLive } from '../../src/ledger/verifying/verify-live.ts';
import { type VerifyPool, verifyHere } from '../../src/ledger/verifying/verify-pool.ts';
import { admitCheckpoint } from '../../src/ledger/witness/witness.ts';
import type { Transaction } from '../../src/storage/database.ts';
import { replaceTables, TABLE_TAMPERINGS } from './database-tampering.ts';
import { type DrillMaterial, type Fork, SIZES, stretch } from './drill-material.ts';
import { RANGE_TAMPERINGS, RECORDS_TAMPERINGS, tamper } from './export-tampering.ts';
import type { BuiltLedger } from './ledger-builder.ts';
import { fileOf, rangeOf } from './ledger-exports.ts';
import type { PythonVerifier } from './python-verifier.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Where a tampering has to be found; a word where the verdict itself is all. */
export type Expected =
  | 'good'
  | 'undecided'
  | {
      readonly seq?: number | undefined;
      readonly checkpoint?: number | undefined;
      readonly within?: number | undefined;
    };

export interface CaseResult {
  readonly kind: string;
  readonly result: 'found' | 'missed' | 'wrong place' | 'verifiers disagree';
  /** Enough to look into a case that went wrong. */
  readonly detail: string;
}

/** A case under way: the slower verifier answers later, and others are made meanwhile. */
export interface Case {
  readonly settled: Promise<CaseResult>;
}

type Judged = Pick<Outcome, 'verdict' | 'firstBad' | 'between' | 'checkpoint' | 'reason'>;

/** Whether an outcome says what was done. */
export function compare(expected: Expected, { verdict, firstBad, between, checkpoint }: Judged): CaseResult['result'] {
  if (typeof expected === 'string') return verdict === expected ? 'found' : 'missed';
  if (verdict !== 'tampered') return 'missed';
  const { seq, within } = expected;
  if (seq !== undefined) return firstBad === seq ? 'found' : 'wrong place';
  if (within !== undefined) {
    return between !== undefined && between.from <= within && within < between.to ? 'found' : 'wrong place';
  }
  return expected.checkpoint === undefined || checkpoint === expected.checkpoint ? 'found' : 'wrong place';
}

/** A note is verified once for thousands of files that hold it. */
function rememberingPool(): VerifyPool {
  const known = new Map<string, NoteResult>();
  return {
    jobsMax: 1,
    run: async <Job extends VerifyJob>(job: Job): Promise<ResultOf<Job>> => {
      if (job.kind !== 'note') return verifyHere.run(job);
      const result = known.get(job.note) ?? ((await verifyHere.run(job)) as NoteResult);
      known.set(job.note, result);
      return result as ResultOf<Job>;
    },
    close: async () => {},
  };
}

const SEPARATE: readonly Kind[] = ['fork exported', 'old backup exported', 'untouched export'];
type Kind = 'fork exported' | 'old backup exported' | 'untouched export' | 'tables forked' | 'old backup restored';

/** Hundredths of all cases: by far the most are tamperings of a range, which both verifiers judge. */
const SHARES = { range: 62, records: 10, separate: 8, tables: 18 } as const;

/** Thrown to undo a tampering of the tables. */
class Undone extends Error {}

/** Does one tampering after another and has it judged. */
export class LedgerDrill {
  readonly #material: DrillMaterial;
  readonly #random: SeededRandom;
  readonly #python: PythonVerifier | undefined;
  readonly #pool = rememberingPool();
  readonly #verifier: NoteVerifier;
  #fileCount = 0;

  constructor(material: DrillMaterial, random: SeededRandom, python: PythonVerifier | undefined) {
    this.#material = material;
    this.#random = random;
    this.#python = python;
    this.#verifier = rememberingVerifier(material.ledger);
  }

  /** One case of a kind that chance picks; undefined when chance made no tampering of it. */
  async next(): Promise<Case | undefined> {
    const lot = this.#random.below(100);
    if (lot < SHARES.range) return this.#exported(RANGE_TAMPERINGS, this.#material.ranges);
    if (lot < SHARES.range + SHARES.records) return this.#exported(RECORDS_TAMPERINGS, this.#material.records);
    if (lot < SHARES.range + SHARES.records + SHARES.separate) return this.#separate(this.#random.pick(SEPARATE));
    if (lot < SHARES.range + SHARES.records + SHARES.separate + SHARES.tables) return this.#tables();
    return this.#replaced(this.#random.pick(['tables forked', 'old backup restored']));
  }

  async #exported(tamperings: typeof RANGE_TAMPERINGS, originals: DrillMaterial['ranges']): Promise<Case | undefined> {
    const kind = this.#random.pick(Object.keys(tamperings));
    const tampered = tamper(kind, tamperings[kind]!, this.#random.pick(originals), this.#random);
    return tampered && this.#judgeFile(kind, tampered.bytes, tampered, false);
  }

  async #separate(kind: Kind): Promise<Case> {
    const { ledger, backup, forks, ranges, records } = this.#material;
    if (kind === 'untouched export') {
      const original = this.#random.pick([...ranges, ...records]);
      // The newest note that is held signs more than most of these exports reach.
      const expected = original.header.size === SIZES.at(-1) ? 'good' : 'undecided';
      return this.#judgeFile(kind, fileOf(original), expected, true);
    }
    const { from, to } = stretch(this.#random);
    if (kind === 'old backup exported') {
      const size = backup.entries.length;
      const file = fileOf(await rangeOf(backup, Math.min(from, size - 1), Math.min(to, size), size));
      const admitted = await this.#admit(backup, SIZES.at(-1)!, size);
      // An old file is no lie by itself; the witness, who sees it served as the present, knows better.
      return this.#judgeFile(kind, file, admitted === 'rollback' ? 'undecided' : 'good', true);
    }
    const fork: Fork = this.#random.pick(forks);
    const size = this.#random.pick(SIZES.filter((one) => one >= to && one > fork.at));
    const contradicted = SIZES.find((one) => one > fork.at && ((one >= from && one <= to) || one === size));
    const admitted = await this.#admit(fork.ledger, SIZES.find((one) => one > fork.at)!, size);
    const file = fileOf(await rangeOf(fork.ledger, from, to, size));
    const expected = contradicted !== undefined && admitted === 'fork' && ledger !== fork.ledger;
    return this.#judgeFile(kind, file, expected ? { checkpoint: contradicted } : 'good', true);
  }

  /** What the witness says to the checkpoint of `size` of another history, when it holds the true one of `heldSize`. */
  async #admit(other: BuiltLedger, heldSize: number, size: number): Promise<string> {
    const { ledger } = this.#material;
    const held = parseNote(ledger.notes.find((one) => one.size === heldSize)!.note)!.checkpoint;
    const note = other.notes.find((one) => one.size === size)!.note;
    return (await admitCheckpoint({ held, note, verifier: this.#verifier, node: () => other.node })).outcome;
  }

  async #judgeFile(kind: string, bytes: Buffer, expected: Expected, withNotes: boolean): Promise<Case> {
    const { folder, notesFolder, ledger, held } = this.#material;
    this.#fileCount += 1;
    const file = join(folder, `case-${this.#fileCount}.jsonl`);
    await writeFile(file, bytes);
    const python = this.#python?.judge(file, withNotes ? notesFolder : '');
    const options = { key: ledger.key, witnesses: [ledger.witnessKey], pool: this.#pool };
    const outcome = await verifyExport(file, withNotes ? { ...options, held } : options);
    const settle = async (): Promise<CaseResult> => {
      const other = await python;
      await rm(file);
      const detail = `${JSON.stringify(without(expected))} ${told(outcome)} / ${other === undefined ? '-' : told(other)}`;
      const [ours, theirs] = [compare(expected, outcome), other === undefined ? 'found' : compare(expected, other)];
      if (ours !== 'found' || theirs !== 'found') return { kind, result: ours === 'found' ? theirs : ours, detail };
      const same =
        other === undefined || (other.firstBad === outcome.firstBad && other.checkpoint === outcome.checkpoint);
      return { kind, result: same ? 'found' : 'verifiers disagree', detail };
    };
    return { settled: settle() };
  }

  async #tables(): Promise<Case | undefined> {
    const kind = this.#random.pick(Object.keys(TABLE_TAMPERINGS));
    return this.#judgeTables(kind, false, (tx) => TABLE_TAMPERINGS[kind]!(tx, this.#material.ledger, this.#random));
  }

  async #replaced(kind: Kind): Promise<Case | undefined> {
    const { backup, forks } = this.#material;
    const fork = this.#random.pick(forks);
    return this.#judgeTables(kind, true, async (tx) => {
      await replaceTables(tx, kind === 'tables forked' ? fork.ledger : backup);
      return kind === 'tables forked'
        ? { checkpoint: SIZES.find((size) => size > fork.at)! }
        : { seq: backup.entries.length };
    });
  }

  /** Tampers inside a transaction, judges what it sees, and undoes it. */
  async #judgeTables(
    kind: string,
    withNotes: boolean,
    tampering: (tx: Transaction) => Promise<Expected | undefined>,
  ): Promise<Case | undefined> {
    const { database, ledger, held } = this.#material;
    let judged: CaseResult | undefined;
    const undone = database.write(async (tx) => {
      const expected = await tampering(tx);
      if (expected !== undefined) {
        const options = { key: ledger.key, witnesses: [ledger.witnessKey], pool: this.#pool };
        const outcome = await verifyLive(liveSource(tx), withNotes ? { ...options, held } : options);
        judged = { kind, result: compare(expected, outcome), detail: `${JSON.stringify(expected)} ${told(outcome)}` };
      }
      throw new Undone();
    });
    await undone.catch((error: unknown) => {
      if (!(error instanceof Undone)) throw error;
    });
    return judged && { settled: Promise.resolve(judged) };
  }
}

const without = (expected: Expected): unknown =>
  typeof expected === 'string'
    ? expected
    : { seq: expected.seq, checkpoint: expected.checkpoint, within: expected.within };

const told = ({ verdict, firstBad, between, checkpoint, reason }: Judged): string =>
  JSON.stringify({ verdict, firstBad, between, checkpoint, reason });

function rememberingVerifier({ key }: BuiltLedger): NoteVerifier {
  const verifier = createSm2Verifier(key.publicKey);
  const known = new Map<string, boolean>();
  return {
    name: key.name,
    publicKey: verifier.publicKey,
    verify: (message, signature) => {
      const question = Buffer.concat([message, signature]).toString('base64');
      const answer = known.get(question) ?? verifier.verify(message, signature);
      known.set(question, answer);
      return answer;
    },
  };
}
