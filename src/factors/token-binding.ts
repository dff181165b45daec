import type { Sealer } from '../crypto/sealing.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { holdPerson } from '../storage/row-locks.ts';
import type { Attempts } from './attempts.ts';
import { type BoundFactors, FACTORS_MAX, type FactorChange, factorContext, factorLabel } from './bound-factors.ts';
import type { FactorUse } from './factor.ts';
import { guarded, typedCode } from './factor-attempts.ts';
import { alignedStep, presentStep, readSeed } from './otp-token.ts';
import { readStepState, type StepState, stepState } from './stepped-code.ts';
import { normalSerial } from './token-stock.ts';

/** What somebody read from the token in their hand: its serial, and two codes one after the other. */
export interface TokenRead {
  readonly serial: string;
  readonly first: string;
  readonly second: string;
  readonly label: string;
}

/**
 * `refused` is one answer for a serial nobody knows, one that is somebody's, and codes that do not fit: nobody learns here which tokens
 * exist (D9).
 */
export type TokenBindOutcome =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly reason: 'refused' | 'exhausted' | 'too_many' };

export interface TokenBinding {
  /** Binds a token out of stock. `told` runs in the same transaction. */
  bind(
    use: Pick<FactorUse, 'personId' | 'address' | 'device'>,
    read: TokenRead,
    change: FactorChange,
    told: (tx: Transaction) => Promise<void>,
  ): Promise<TokenBindOutcome>;
}

const FIND = `SELECT id, secret_sealed, state FROM bound_factors
  WHERE kind = 'otp_token' AND external_key = $1 AND person_id IS NULL`;
/** Only while it is nobody's and in the state that was seen: of two who claim it at once one gets it. */
const BIND = `UPDATE bound_factors SET person_id = $3, bound_at = $4, state = $5, label_sealed = $6
  WHERE id = $1 AND person_id IS NULL AND state = $2`;

interface Row {
  readonly id: string;
  readonly secret_sealed: Uint8Array;
  readonly state: string;
}

export function createTokenBinding({
  database,
  sealer,
  ledger,
  boundFactors,
  attempts,
}: {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly ledger: Ledger;
  readonly boundFactors: BoundFactors;
  readonly attempts: Attempts;
}): TokenBinding {
  const judge = async ({ serial, first, second }: TokenRead) => {
    const row = await database.get<Row>(FIND, [normalSerial(serial)]);
    if (row === undefined) return { state: 'mismatch' } as const;
    const seed = readSeed(sealer.unseal(row.secret_sealed, factorContext('secret_sealed', row.id)));
    const step = alignedStep(seed, typedCode(first), typedCode(second));
    if (step === undefined || step <= readStepState(row.state).lastStep) return { state: 'mismatch' } as const;
    const stands: StepState = { lastStep: step, drift: step - presentStep(seed) };
    return { state: 'proven', row, stands } as const;
  };

  return {
    async bind(use, read, { origin, ...from }, told) {
      const { personId } = use;
      const verdict = await guarded(attempts, 'second_factor', use, () => judge(read));
      if (verdict.state === 'exhausted') return { ok: false, reason: 'exhausted' };
      if (verdict.state !== 'proven') return { ok: false, reason: 'refused' };
      const { row, stands } = verdict;
      const { id } = row;
      return database.write(async (tx): Promise<TokenBindOutcome> => {
        await holdPerson(tx, database.engine, personId);
        if ((await boundFactors.list(personId, tx)).length >= FACTORS_MAX) return { ok: false, reason: 'too_many' };
        const label = sealer.seal(factorLabel(read.label), factorContext('label_sealed', id));
        if ((await tx.run(BIND, [id, row.state, personId, nowSeconds(), stepState(stands), label])) === 0)
          return { ok: false, reason: 'refused' };
        const details = { origin, kind: 'otp_token', factor: id };
        await ledger.append(tx, { ...from, type: 'factor.bound', personId, details });
        await told(tx);
        return { ok: true, id };
      });
    },
  };
}
