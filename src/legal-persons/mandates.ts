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
}

export function createMandates(parts: MandateParts): Mandates {
  const sides = createMandateSides(parts);
  const changes = createMandateChanges(parts, sides);
  const grants = createMandateGrants(parts, sides);
  return {
    ...grants,
    importFile: createMandateImport(parts.database, grants),
    ...changes,
    ...createMandateViews(parts),
    ...createMandateUpkeep(parts, changes),
  };
}
