import { isAltered, unlessAltered } from '../shared/fault.ts';
import type { Database } from '../storage/database.ts';
import { carryIndex, type IndexFamily } from '../storage/index-columns.ts';
import type { RowWalk } from '../storage/row-walk.ts';
import type { BlindIndex, DocumentIdentity } from './blind-index.ts';
import type { SecretRing } from './secret-ring.ts';

/** An index value as it stands in a row, and how to read from the row what it was made of. */
export interface IndexedValue {
  readonly digest: string;
  /** Undefined where the row does not hold it. Throws `Fault('sealed_data_altered')` where it does not open. */
  readonly document: () => DocumentIdentity | undefined;
}

/** `last`: the name of the last row of the stretch, undefined at the end. */
export interface IndexedStretch {
  readonly last: string | undefined;
  readonly handled: number;
  readonly values: readonly IndexedValue[];
}

export interface IndexWalkOptions {
  readonly database: Database;
  readonly index: BlindIndex;
  readonly ring: SecretRing;
  readonly name: string;
  readonly table: string;
  readonly family: IndexFamily;
  readonly read: (after: string, rowsMax: number) => Promise<IndexedStretch>;
}

/**
 * Brings index values made with a replaced key under the key in use. A value that is not what its own row says was put there by somebody: it
 * is counted as unreadable and stays, so that the key cannot be retired before somebody has looked.
 */
export function createIndexWalk(options: IndexWalkOptions): RowWalk {
  const { database, index, ring, name, table, family, read } = options;

  const renewed = ({ digest, document }: IndexedValue): string | 'kept' | 'unreadable' => {
    const meant = readable(document);
    if (meant === undefined) return 'unreadable';
    const state = index.stateOf(meant, digest);
    if (state === undefined) return 'unreadable';
    return state === 'previous' ? index.of(meant) : 'kept';
  };

  return {
    name,
    needed: () => ring.keys('index').some(({ state }) => state === 'previous'),
    async total() {
      const row = await database.get<{ total: number }>(`SELECT count(*) AS total FROM ${table}`, []);
      return Number(row?.total ?? 0);
    },
    async stretch(after, rowsMax) {
      const { last, handled, values } = await read(after, rowsMax);
      const changes: { from: string; to: string }[] = [];
      let unreadable = 0;
      for (const value of values) {
        const to = renewed(value);
        if (to === 'unreadable') unreadable += 1;
        else if (to !== 'kept') changes.push({ from: value.digest, to });
      }
      let reindexed = 0;
      await database.write(async (tx) => {
        for (const { from, to } of changes) {
          const carried = await unlessAltered(() => carryIndex(tx, family, from, to));
          if (carried === undefined) unreadable += 1;
          else reindexed += carried;
        }
      });
      return { last, handled, counts: { reindexed, unreadable } };
    },
  };
}

function readable(document: IndexedValue['document']): DocumentIdentity | undefined {
  try {
    return document();
  } catch (error) {
    if (isAltered(error)) return undefined;
    throw error;
  }
}
