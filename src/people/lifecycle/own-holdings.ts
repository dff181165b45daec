import { type BlindIndex, settleIndex } from '../../crypto/blind-index.ts';
import type { Sealer } from '../../crypto/sealing.ts';
import { nowSeconds } from '../../shared/clock.ts';
import type { Transaction } from '../../storage/database.ts';
import { settlePrimary } from '../held-documents.ts';
import { type PersonColumn, personContext } from '../person.ts';
import type { Holdings, MergePair, Moved } from './holdings.ts';

/** As in held-documents.ts: nobody holds more. */
const DOCUMENTS_MAX = 10;

const DOCUMENT_IDS = 'SELECT id FROM identity_documents WHERE person_id = $1 ORDER BY id';
const MOVE_DOCUMENT = 'UPDATE identity_documents SET person_id = $1, is_primary = 0 WHERE id = $2 AND person_id = $3';

/** The documents of a person. Their sealed numbers belong to the row and not to its holder. */
export const documentHoldings: Holdings = {
  name: 'documents',
  async move(tx, { keptId, mergedId }) {
    const ids = await idsOf(tx, mergedId);
    if ((await idsOf(tx, keptId)).length + ids.length > DOCUMENTS_MAX)
      return { ok: false, reason: 'too_many_documents' };
    for (const id of ids) await tx.run(MOVE_DOCUMENT, [keptId, id, mergedId]);
    await settlePrimary(tx, keptId);
    return { ok: true, moved: { ids }, counts: { documents: ids.length } };
  },
  async moveBack(tx, { keptId, mergedId }, { ids }) {
    for (const id of ids as readonly string[]) {
      if ((await tx.run(MOVE_DOCUMENT, [mergedId, id, keptId])) === 0) return { ok: false, reason: 'document_gone' };
    }
    await settlePrimary(tx, mergedId);
    await settlePrimary(tx, keptId);
    return { ok: true };
  },
  async shred(tx, personId) {
    await tx.run(
      `DELETE FROM enrolment_drafts WHERE number_index IN (SELECT number_index FROM identity_documents WHERE person_id = $1)`,
      [personId],
    );
    await tx.run('DELETE FROM identity_documents WHERE person_id = $1', [personId]);
  },
};

const idsOf = async (tx: Transaction, personId: string): Promise<string[]> =>
  (await tx.all<{ id: string }>(DOCUMENT_IDS, [personId])).map(({ id }) => id);

/** The columns that hold the value of a name to sign in by. `verified`: the column that says since when it is one. */
const COLUMNS = {
  phone: { value: 'phone_sealed', verified: 'phone_verified_at' },
  email: { value: 'email_sealed', verified: 'email_verified_at' },
  user_name: { value: 'user_name_sealed', verified: undefined },
} as const satisfies Record<string, { value: PersonColumn; verified: string | undefined }>;

type Type = keyof typeof COLUMNS;

interface IdentifierRow {
  readonly type: Type;
  readonly value_index: string;
  readonly verified_by: string;
  readonly bound_at: number;
}

/** `at`: where the value is after the merge: with the kept account, or with nobody, because that has one of its own. */
interface MovedIdentifier extends IdentifierRow {
  readonly at: 'kept' | 'nobody';
  readonly value: string;
  readonly verifiedAt: number | null;
}

const IDENTIFIERS =
  'SELECT type, value_index, verified_by, bound_at FROM sign_in_identifiers WHERE person_id = $1 ORDER BY type';
const GIVE = 'UPDATE sign_in_identifiers SET person_id = $1 WHERE type = $2 AND value_index = $3 AND person_id = $4';
const INSERT = `INSERT INTO sign_in_identifiers (type, value_index, person_id, verified_by, bound_at)
  VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`;

/** What people sign in by beside documents. A value is sealed for its person, so it is sealed anew on its way. */
export function identifierHoldings(sealer: Sealer, index: BlindIndex): Holdings {
  const read = async (tx: Transaction, personId: string, type: Type) => {
    const { value, verified } = COLUMNS[type];
    const row = await tx.get<{ value: Uint8Array | null; verified: number | null }>(
      `SELECT ${value} AS value, ${verified ?? 'NULL'} AS verified FROM persons WHERE id = $1`,
      [personId],
    );
    const sealed = row?.value ?? undefined;
    return (
      sealed && { value: sealer.unseal(sealed, personContext(value, personId)), verifiedAt: row?.verified ?? null }
    );
  };
  const store = async (
    tx: Transaction,
    personId: string,
    type: Type,
    value: string | null,
    verifiedAt: number | null,
  ) => {
    const { value: column, verified } = COLUMNS[type];
    const sealed = value === null ? null : sealer.seal(value, personContext(column, personId));
    await tx.run(`UPDATE persons SET ${column} = $1, updated_at = $2 WHERE id = $3`, [sealed, nowSeconds(), personId]);
    if (verified) await tx.run(`UPDATE persons SET ${verified} = $1 WHERE id = $2`, [verifiedAt, personId]);
  };

  const move = async (tx: Transaction, { keptId, mergedId }: MergePair): Promise<readonly MovedIdentifier[]> => {
    const own = new Set((await tx.all<IdentifierRow>(IDENTIFIERS, [keptId])).map(({ type }) => type));
    const moved: MovedIdentifier[] = [];
    for (const row of await tx.all<IdentifierRow>(IDENTIFIERS, [mergedId])) {
      const { type, value_index: valueIndex } = row;
      const held = await read(tx, mergedId, type);
      if (held === undefined) continue;
      const at = own.has(type) ? 'nobody' : 'kept';
      if (at === 'kept') {
        await tx.run(GIVE, [keptId, type, valueIndex, mergedId]);
        await store(tx, keptId, type, held.value, held.verifiedAt);
      } else {
        await tx.run('DELETE FROM sign_in_identifiers WHERE type = $1 AND value_index = $2', [type, valueIndex]);
      }
      // Nothing more is sent to an account that is none.
      await store(tx, mergedId, type, null, null);
      moved.push({ ...row, at, ...held });
    }
    return moved;
  };

  const moveBack = async (tx: Transaction, { keptId, mergedId }: MergePair, one: MovedIdentifier): Promise<boolean> => {
    const { type, at, value, verifiedAt, verified_by: verifiedBy, bound_at: boundAt } = one;
    // Not the digest of then: the key that made it may have been replaced.
    const valueIndex = await settleIndex(tx, index, 'identifier', { type, issuer: '', number: value });
    if (at === 'kept') {
      if ((await tx.run(GIVE, [mergedId, type, valueIndex, keptId])) === 0) return false;
      await store(tx, keptId, type, null, null);
    } else if ((await tx.run(INSERT, [type, valueIndex, mergedId, verifiedBy, boundAt])) === 0) return false;
    await store(tx, mergedId, type, value, verifiedAt);
    return true;
  };

  return {
    name: 'identifiers',
    async move(tx, pair) {
      const identifiers = await move(tx, pair);
      return { ok: true, moved: { identifiers }, counts: { identifiers: identifiers.length } };
    },
    async moveBack(tx, pair, { identifiers }: Moved) {
      for (const one of identifiers as readonly MovedIdentifier[]) {
        if (!(await moveBack(tx, pair, one))) return { ok: false, reason: 'identifier_gone' };
      }
      return { ok: true };
    },
    async shred(tx, personId) {
      await tx.run('DELETE FROM sign_in_identifiers WHERE person_id = $1', [personId]);
    },
  };
}
