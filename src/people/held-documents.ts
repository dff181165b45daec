import { type BlindIndex, settleIndex } from '../crypto/blind-index.ts';
import type { Sealer } from '../crypto/sealing.ts';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import type { AssuranceLevel } from '../proofing/levels.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { DOCUMENT_TYPES, type DocumentType, type IdentityDocument } from './documents/document.ts';
import { factsOfDocument } from './documents/parse.ts';
import { rememberBirthdays } from './minors.ts';
import { numberContext } from './person.ts';
import { DOCUMENT_ROW, documentRow } from './person-rows.ts';

/** How well a document was proven: to which level, by which source, when (epoch seconds; absent where no source vouched). */
export interface DocumentProof {
  readonly level: AssuranceLevel;
  readonly source?: string | undefined;
  readonly at?: number | undefined;
}

/** From when to when a document is valid, as it is printed: days, `YYYY-MM-DD`, both included. */
export interface DocumentValidity {
  readonly validFrom?: string | undefined;
  readonly validTo?: string | undefined;
}

/** A document somebody holds. `primary`: it stands for them. The number is opened only now. */
export interface HeldDocument extends DocumentValidity {
  readonly id: string;
  readonly document: IdentityDocument;
  readonly proof: DocumentProof;
  readonly primary: boolean;
  readonly addedAt: number;
}

/** Who or what asked, and where, if by somebody with a browser. */
export interface Asked extends Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation' | 'actor'> {
  readonly origin: string;
}

export interface NewDocument extends DocumentValidity {
  readonly document: IdentityDocument;
  readonly proof: DocumentProof;
}

/** `exists`: somebody, perhaps this very person, holds it. `too_many`: nobody holds so many. */
export type AddDocumentOutcome =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly reason: 'exists' | 'unknown_person' | 'too_many' };

export type RemoveDocumentOutcome = 'removed' | 'unknown' | 'last';

/** The documents of people. (type, issuer, number) is unique over everybody: the index is the only judge, on every engine. */
export interface HeldDocuments {
  /** Those of one person, the primary first, then as they were added. */
  documents(personId: string): Promise<readonly HeldDocument[]>;
  addDocument(personId: string, added: NewDocument, asked: Asked): Promise<AddDocumentOutcome>;
  /** Never the last one: somebody without a document could not be found again. */
  removeDocument(personId: string, documentId: string, asked: Asked): Promise<RemoveDocumentOutcome>;
  /** Writes down how a document was proven and how long it is valid. False when this person holds no such document. */
  verifyDocument(
    personId: string,
    documentId: string,
    proof: DocumentProof & DocumentValidity,
    asked: Asked,
  ): Promise<boolean>;
}

export interface HeldDocumentSources {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
  /** Called after the commit: what was kept of this person is out of date. */
  readonly forget: (personId: string) => void;
}

/** A person has one or two; the bound keeps a page and a transaction small. */
const DOCUMENTS_MAX = 10;

const COLUMNS = `id, type, issuer, number_sealed, verified_source, verified_level, verified_at, valid_from, valid_to, is_primary,
  created_at`;
const SELECT = `SELECT ${COLUMNS} FROM identity_documents WHERE person_id = $1 ORDER BY is_primary DESC, created_at, id`;
const SELECT_KEYS = 'SELECT id, type, created_at, is_primary FROM identity_documents WHERE person_id = $1';
const INSERT = `${DOCUMENT_ROW.insert(1)} ON CONFLICT DO NOTHING`;
const VERIFY = `UPDATE identity_documents SET verified_source = $1, verified_level = $2, verified_at = $3,
  valid_from = COALESCE($4, valid_from), valid_to = COALESCE($5, valid_to) WHERE id = $6 AND person_id = $7`;
/** Changes of one person's documents stand in line here: two removals at once must not both find another one left. */
const TOUCH = 'UPDATE persons SET updated_at = $1 WHERE id = $2';

interface DocumentRow {
  readonly id: string;
  readonly type: DocumentType;
  readonly issuer: string;
  readonly number_sealed: Uint8Array;
  readonly verified_source: string | null;
  readonly verified_level: number;
  readonly verified_at: number | null;
  readonly valid_from: string | null;
  readonly valid_to: string | null;
  readonly is_primary: number;
  readonly created_at: number;
}

export function createHeldDocuments({ database, sealer, index, ledger, forget }: HeldDocumentSources): HeldDocuments {
  const change = async <T>(personId: string, work: (tx: Transaction) => Promise<T>): Promise<T> => {
    try {
      return await database.write(work);
    } finally {
      forget(personId);
    }
  };

  return {
    async documents(personId) {
      const rows = await database.all<DocumentRow>(SELECT, [personId]);
      return rows.map((row) => heldDocument(row, sealer));
    },

    addDocument: (personId, added, { origin, ...from }) =>
      change(personId, async (tx): Promise<AddDocumentOutcome> => {
        if ((await tx.run(TOUCH, [nowSeconds(), personId])) === 0) return { ok: false, reason: 'unknown_person' };
        if ((await keysOf(tx, personId)).length >= DOCUMENTS_MAX) return { ok: false, reason: 'too_many' };
        const id = await insertDocument(tx, { sealer, index }, personId, added, false);
        if (id === undefined) return { ok: false, reason: 'exists' };
        await settlePrimary(tx, personId);
        const { document, proof } = added;
        await rememberBirthdays(tx, personId, factsOfDocument(document).birthDate);
        const details = { origin, document: id, type: document.type, issuer: document.issuer, level: proof.level };
        await ledger.append(tx, { ...from, type: 'document.added', personId, details });
        return { ok: true, id };
      }),

    removeDocument: (personId, documentId, { origin, ...from }) =>
      change(personId, async (tx): Promise<RemoveDocumentOutcome> => {
        await tx.run(TOUCH, [nowSeconds(), personId]);
        const held = await keysOf(tx, personId);
        const leaving = held.find(({ id }) => id === documentId);
        if (leaving === undefined) return 'unknown';
        if (held.length === 1) return 'last';
        await tx.run('DELETE FROM identity_documents WHERE id = $1', [documentId]);
        await settlePrimary(tx, personId);
        const details = { origin, document: documentId, type: leaving.type };
        await ledger.append(tx, { ...from, type: 'document.removed', personId, details });
        return 'removed';
      }),

    verifyDocument: (personId, documentId, proof, { origin, ...from }) =>
      change(personId, async (tx) => {
        const { source = null, level, at = nowSeconds(), validFrom = null, validTo = null } = proof;
        const changed = await tx.run(VERIFY, [source, level, at, validFrom, validTo, documentId, personId]);
        if (changed === 0) return false;
        const details = { origin, document: documentId, level, ...(source === null ? {} : { source }) };
        await ledger.append(tx, { ...from, type: 'document.verified', personId, details });
        return true;
      }),
  };
}

type DocumentKey = Pick<DocumentRow, 'id' | 'type' | 'created_at' | 'is_primary'>;

const keysOf = (tx: Connection, personId: string): Promise<DocumentKey[]> =>
  tx.all<DocumentKey>(SELECT_KEYS, [personId]);

/**
 * Writes a document of a person who is there. Resolves with its id, or with undefined when somebody holds it already: the unique index
 * is the only judge.
 */
export async function insertDocument(
  tx: Transaction,
  { sealer, index }: Pick<HeldDocumentSources, 'sealer' | 'index'>,
  personId: string,
  added: NewDocument,
  primary: boolean,
): Promise<string | undefined> {
  const id = newId('doc');
  const numberIndex = await settleIndex(tx, index, 'document', added.document);
  const place = { id, personId, numberIndex, now: nowSeconds(), primary };
  const inserted = await tx.run(INSERT, documentRow(sealer, added, place));
  return inserted === 1 ? id : undefined;
}

/** The rank of a type: the lower, the more the document says about its holder. */
const rankOf = (type: DocumentType): number => DOCUMENT_TYPES.indexOf(type);

/** Which document stands for its person: the type that says most, and of two of one type the one that was here first. Pure. */
export const primaryOf = <Key extends Pick<DocumentRow, 'id' | 'type' | 'created_at'>>(
  held: readonly Key[],
): Key | undefined =>
  held.toSorted(
    (left, right) =>
      rankOf(left.type) - rankOf(right.type) || left.created_at - right.created_at || (left.id < right.id ? -1 : 1),
  )[0];

/** Marks the primary document anew. To be called by whoever gave a person a document or took one, in the same transaction. */
export async function settlePrimary(tx: Transaction, personId: string): Promise<void> {
  const held = await keysOf(tx, personId);
  const chosen = primaryOf(held);
  if (chosen === undefined || Number(chosen.is_primary) === 1) return;
  // First the old one off: the index allows one at any moment.
  await tx.run('UPDATE identity_documents SET is_primary = 0 WHERE person_id = $1 AND is_primary = 1', [personId]);
  await tx.run('UPDATE identity_documents SET is_primary = 1 WHERE id = $1', [chosen.id]);
}

function heldDocument(row: DocumentRow, sealer: Sealer): HeldDocument {
  const { id, type, issuer } = row;
  return {
    id,
    document: { type, issuer, number: sealer.unseal(row.number_sealed, numberContext(id)) } as IdentityDocument,
    proof: {
      level: row.verified_level as AssuranceLevel,
      source: row.verified_source ?? undefined,
      at: row.verified_at ?? undefined,
    },
    validFrom: row.valid_from ?? undefined,
    validTo: row.valid_to ?? undefined,
    primary: Number(row.is_primary) === 1,
    addedAt: row.created_at,
  };
}
