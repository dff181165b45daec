import type { Ledger } from '../ledger/ledger.ts';
import { type AssuranceLevel, UNVOUCHED_LEVEL } from '../proofing/levels.ts';
import { unlessAltered } from '../shared/fault.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import type { NightlyJob, NightlyStep } from '../storage/nightly-job.ts';
import { todayInChina } from './documents/birth-date.ts';
import type { Persons } from './persons.ts';

export const DOCUMENT_EXPIRY = 'document-expiry';

export interface DocumentExpirySources {
  readonly database: Database;
  readonly persons: Pick<Persons, 'changeLevel'>;
  readonly ledger: Ledger;
  /** `system` at night; absent when an operator has it done. */
  readonly actor?: 'system';
}

interface Row {
  readonly id: string;
  readonly person_id: string;
  readonly type: string;
}

/** Nobody is asked: the rate only keeps writers from standing in line behind it. */
const PER_SECOND = 50;
const ORIGIN = 'expiry';

/** A document that carries a level after its last day; `valid_to` is included. */
const ENDED = `FROM identity_documents d JOIN persons p ON p.id = d.person_id
  WHERE d.valid_to IS NOT NULL AND d.valid_to < $1 AND d.verified_level > ${UNVOUCHED_LEVEL}
  AND p.status IN ('active', 'disabled', 'frozen')`;
const COUNT = `SELECT count(*) AS ended ${ENDED}`;
const PAGE = `SELECT ${UNJUDGED} d.id, d.person_id, d.type ${ENDED} ORDER BY d.valid_to, d.id LIMIT $2`;
const UNVOUCH = 'UPDATE identity_documents SET verified_level = $1 WHERE id = $2 AND verified_level > $1';
const BEST = `SELECT verified_level AS level FROM identity_documents
  WHERE person_id = $1 AND (valid_to IS NULL OR valid_to >= $2) ORDER BY verified_level DESC LIMIT 1`;

/**
 * Takes the level from documents whose last day (in China) has passed, and from their holders what no valid document of theirs carries:
 * to level 1 at the lowest. What was handled is not found again, so there is no cursor to keep.
 */
export function createDocumentExpiry(sources: DocumentExpirySources): NightlyJob {
  const { database, persons, ledger, actor } = sources;
  const by = actor === undefined ? {} : { actor };
  const end = ({ id, person_id: personId, type }: Row, today: string) =>
    persons.changeLevel(personId, async (tx, before) => {
      if ((await tx.run(UNVOUCH, [UNVOUCHED_LEVEL, id])) === 0) return undefined;
      const details = { origin: ORIGIN, document: id, type };
      await ledger.append(tx, { ...by, type: 'document.expired', personId, details });
      const ial = Math.min(before, await levelLeft(tx, personId, today)) as AssuranceLevel;
      return { ial, reason: 'document_expired', origin: ORIGIN, ...by };
    });

  return {
    name: DOCUMENT_EXPIRY,
    perSecond: PER_SECOND,
    count: async () => Number((await database.get<{ ended: number }>(COUNT, [todayInChina()]))?.ended),
    async step(_cursor, limit): Promise<NightlyStep> {
      const today = todayInChina();
      const rows = await database.all<Row>(PAGE, [today, limit]);
      let fallen = 0;
      for (const row of rows) {
        const ended = await unlessAltered(() => end(row, today));
        if (ended?.outcome === 'changed') fallen += 1;
      }
      const cursor = rows.length < limit ? undefined : rows.at(-1)?.id;
      return { cursor, handled: rows.length, asked: rows.length, counts: { fallen } };
    },
  };
}

async function levelLeft(tx: Transaction, personId: string, today: string): Promise<number> {
  const row = await tx.get<{ level: number | null }>(BEST, [personId, today]);
  return Math.max(UNVOUCHED_LEVEL, Number(row?.level ?? 0));
}
