import type { Ledger } from '../ledger/ledger.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import type { RelyingPartyRecord } from '../relying-parties/schema.ts';
import type { Climber } from '../sign-in/ladder.ts';
import { type LevelTable, levelOfAcr } from '../sign-in/levels.ts';
import type { ArtifactStore } from '../storage/artifact-store.ts';
import type { SessionEnds } from './session-ends.ts';

export interface LevelEndSources {
  readonly store: Pick<ArtifactStore, 'findByAccount'>;
  readonly ledger: Ledger;
  readonly relyingParties: Pick<RelyingParties, 'inspect'>;
  readonly sessionEnds: Pick<SessionEnds, 'list' | 'endPortal'>;
  readonly table: LevelTable;
}

type Ial = Climber['ial'];

/**
 * What follows when an identity is proven less well than before: portals whose minimum it no longer reaches lose their grants, tokens and
 * place in every session, and are told through the outbox (the person is told of the fall itself). Other portals notice nothing. May be
 * called again for the same fall.
 */
export function createLevelEnds({ store, ledger, relyingParties, sessionEnds, table }: LevelEndSources) {
  const entered = async (personId: string): Promise<ReadonlySet<string>> => {
    const [grants, sessions] = await Promise.all([store.findByAccount('Grant', personId), sessionEnds.list(personId)]);
    return new Set([
      ...grants.map(({ payload }) => String(payload.clientId)),
      ...sessions.flatMap(({ clientIds }) => clientIds),
    ]);
  };

  return {
    async levelFell(personId: string, ial: Ial): Promise<void> {
      for (const clientId of await entered(personId)) {
        const record = (await relyingParties.inspect(clientId))?.record;
        if (record === undefined || ial >= identityWanted(record, table)) continue;
        await sessionEnds.endPortal(personId, clientId, (tx) =>
          ledger.append(tx, {
            type: 'portal.closed',
            actor: 'system',
            personId,
            clientId,
            details: { cause: 'level_fell', minimum: String(record.minimum_acr), ial },
          }),
        );
      }
    },
  };
}

/** How well an identity must be proven for a portal's minimum. Pure. */
function identityWanted({ minimum_acr: minimum, assurance_scale: scale }: RelyingPartyRecord, table: LevelTable): Ial {
  const level = levelOfAcr(minimum);
  if (level === undefined) return 0;
  // To partners each level is a level of the identity as well.
  return scale === undefined ? table[level].ial : (Math.max(level, table[level].ial) as Ial);
}
