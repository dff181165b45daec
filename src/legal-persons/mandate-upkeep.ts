import { hasReached, nextMilestone } from '../people/birthdays.ts';
import { maskName } from '../people/masking.ts';
import { nowSeconds } from '../shared/clock.ts';
import { unlessAltered } from '../shared/fault.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import type { MandateChanges } from './mandate-changes.ts';
import type { MandateParts } from './mandate-parts.ts';
import { personName } from './person-names.ts';

/** What time does to mandates. Each call works on `limit` rows at most and resolves with how many, so that a sweep can go on. */
export interface MandateUpkeep {
  /** Marks what has run out. It has held no longer since its second came; marking tells people and ends what it opened. */
  expireDue(limit: number): Promise<number>;
  /** Tells wards who turned 14 or 16 that somebody may act for them. */
  tellWards(limit: number): Promise<number>;
}

const DUE = `SELECT ${UNJUDGED} id FROM mandates WHERE status IN ('invited', 'active', 'suspended') AND valid_until <= $1
  ORDER BY valid_until LIMIT $2`;
const MILESTONES = `SELECT ${UNJUDGED} id, represented_id, agent_person_id, milestone_at, status FROM mandates
  WHERE milestone_at IS NOT NULL AND milestone_at <= $1 ORDER BY milestone_at LIMIT $2`;
const NEXT = 'UPDATE mandates SET milestone_at = $3 WHERE id = $1 AND milestone_at = $2';

interface MilestoneRow {
  readonly id: string;
  readonly represented_id: string;
  readonly agent_person_id: string | null;
  readonly milestone_at: number;
  readonly status: string;
}

export function createMandateUpkeep(parts: MandateParts, changes: Pick<MandateChanges, 'expire'>): MandateUpkeep {
  const { database, sealer, ledger, persons, notify } = parts;
  return {
    async expireDue(limit) {
      const rows = await database.all<{ id: string }>(DUE, [nowSeconds(), limit]);
      let marked = 0;
      for (const { id } of rows) if ((await unlessAltered(() => changes.expire(id)))?.ok) marked += 1;
      return marked;
    },

    async tellWards(limit) {
      const now = nowSeconds();
      const rows = await database.all<MilestoneRow>(MILESTONES, [now, limit]);
      for (const { id, represented_id: ward, agent_person_id: guardian, milestone_at: at, status } of rows) {
        const birthDate = (await persons.profile(ward))?.birthDate;
        const next = birthDate === undefined ? undefined : nextMilestone(birthDate, now);
        await database.write(async (tx) => {
          // Another node was faster.
          if ((await tx.run(NEXT, [id, at, next?.at ?? null])) === 0) return;
          if (status !== 'active' || guardian === null || birthDate === undefined) return;
          const age = hasReached(birthDate, 16, now) ? 16 : 14;
          const details = { mandate: id, age };
          await ledger.append(tx, { type: 'mandate.ward-told', actor: 'system', personId: ward, details });
          const name = maskName((await personName(tx, sealer, guardian)) ?? '');
          await notify(tx, ward, 'ward_grows_up', { name });
        });
      }
      return rows.length;
    },
  };
}
