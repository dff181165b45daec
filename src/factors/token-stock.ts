import type { Sealer } from '../crypto/sealing.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { oneOf } from '../storage/one-of.ts';
import { insertRows, rowShape } from '../storage/row-shape.ts';
import { factorContext } from './bound-factors.ts';
import { writeSeed } from './otp-token.ts';
import { stepState } from './stepped-code.ts';
import type { TokenSeed } from './token-codes.ts';

/** A token as its maker delivers it; the serial as `normalSerial` gives it. */
export interface StockedToken {
  readonly serial: string;
  readonly seed: TokenSeed;
}

/** Hardware tokens that belong to nobody yet. */
export interface TokenStock {
  /** Of these serials those that are there already, in stock or with somebody. */
  known(serials: readonly string[]): Promise<readonly string[]>;
  /** Takes in all, or none when one is there already: resolves then with its serial and others that are. */
  take(tokens: readonly StockedToken[], origin: string): Promise<readonly string[]>;
  /** Whether there is any to be bound. */
  isStocked(): Promise<boolean>;
  counts(): Promise<{ readonly inStock: number; readonly bound: number }>;
}

const ROW = rowShape('bound_factors', [
  'id',
  'person_id',
  'kind',
  'label_sealed',
  'secret_sealed',
  'state',
  'external_key',
  'created_at',
  'bound_at',
  'last_used_at',
]);
const ASKED_AT_ONCE = 500;
const KNOWN = oneOf(
  (list) => `SELECT external_key FROM bound_factors WHERE kind = 'otp_token' AND external_key ${list}`,
  1,
);
const ANY = `SELECT 1 AS one FROM bound_factors WHERE kind = 'otp_token' AND person_id IS NULL LIMIT 1`;
const COUNTS = `SELECT count(*) AS total, count(person_id) AS bound FROM bound_factors WHERE kind = 'otp_token'`;

/** As engraved: capitals and digits, whatever stands between groups. */
export const normalSerial = (typed: string): string =>
  typed.slice(0, 64).normalize('NFKC').replace(/[\s-]/g, '').toUpperCase();
export const SERIAL_FORM = /^[0-9A-Z]{4,32}$/;

/** Thrown within the transaction, so that nothing of it stays. */
class Known extends Error {
  readonly serials: readonly string[];

  constructor(serials: readonly string[]) {
    super('some of the tokens are there already');
    this.serials = serials;
  }
}

export function createTokenStock({
  database,
  sealer,
  ledger,
}: {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly ledger: Ledger;
}): TokenStock {
  const known = async (serials: readonly string[], tx: Database | Transaction = database): Promise<string[]> => {
    const found: string[] = [];
    for (let from = 0; from < serials.length; from += ASKED_AT_ONCE) {
      const asked = serials.slice(from, from + ASKED_AT_ONCE);
      const rows = await tx.all<{ external_key: string }>(KNOWN(asked.length), asked);
      found.push(...rows.map((row) => row.external_key));
    }
    return found;
  };

  const rowOf = ({ serial, seed }: StockedToken) => {
    const id = newId('fct');
    return [
      id,
      null,
      'otp_token',
      sealer.seal('', factorContext('label_sealed', id)),
      sealer.seal(writeSeed(seed), factorContext('secret_sealed', id)),
      stepState({ lastStep: 0, drift: 0 }),
      serial,
      nowSeconds(),
      null,
      null,
    ];
  };

  return {
    known: (serials) => known(serials),
    async take(tokens, origin) {
      try {
        await database.write(async (tx) => {
          const there = await known(
            tokens.map(({ serial }) => serial),
            tx,
          );
          if (there.length > 0) throw new Known(there);
          await insertRows(tx, ROW, tokens.map(rowOf));
          await ledger.append(tx, { type: 'factor.tokens-imported', details: { origin, count: tokens.length } });
        });
        return [];
      } catch (error) {
        if (!(error instanceof Known)) throw error;
        return error.serials;
      }
    },
    async isStocked() {
      return (await database.get(ANY, [])) !== undefined;
    },
    async counts() {
      const row = await database.get<{ total: number; bound: number }>(COUNTS, []);
      const bound = Number(row?.bound ?? 0);
      return { inStock: Number(row?.total ?? 0) - bound, bound };
    },
  };
}
