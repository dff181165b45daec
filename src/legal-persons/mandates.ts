import type { By } from './by.ts';
import { createMandateChanges, type MandateChanges } from './mandate-changes.ts';
import { createMandateGrants, type MandateGrants } from './mandate-grants.ts';
import { createMandateImport, type ImportMandates } from './mandate-import.ts';
import type { MandateParts } from './mandate-parts.ts';
import { createMandateSides } from './mandate-sides.ts';
import { createMandateUpkeep, type MandateUpkeep } from './mandate-upkeep.ts';
import { createMandateViews, type MandateViews } from './mandate-views.ts';

/**
 * Mandates (授权): who may act for whom, in which matters, at which portals, from when to when. Two-sided: granted by somebody
 * entitled, accepted by the agent, ended by either side at any time. What one has opened ends with it.
 */
export interface Mandates extends MandateGrants, MandateChanges, MandateViews, MandateUpkeep {
  /** Grants all agents of a file (CSV), or none. */
  readonly importFile: ImportMandates;
  /** Lets a new representative take over what the change had suspended. Resolves with how many hold again. */
  resumeAll(legalPersonId: string, by: By): Promise<number>;
}

const STOPPED = `SELECT id FROM mandates
  WHERE legal_person_id = $1 AND status = 'suspended' AND suspended_by = 'house' ORDER BY id`;

export function createMandates(parts: MandateParts): Mandates {
  const sides = createMandateSides(parts);
  const changes = createMandateChanges(parts, sides);
  const grants = createMandateGrants(parts, sides);
  return {
    ...grants,
    importFile: createMandateImport(parts.database, grants),
    async resumeAll(legalPersonId, by) {
      let resumed = 0;
      for (const { id } of await parts.database.all<{ id: string }>(STOPPED, [legalPersonId])) {
        if ((await changes.resume(id, by)).ok) resumed += 1;
      }
      return resumed;
    },
    ...changes,
    ...createMandateViews(parts),
    ...createMandateUpkeep(parts, changes),
  };
}
