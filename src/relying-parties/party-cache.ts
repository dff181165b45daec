import { monotonicMs } from '../shared/clock.ts';
import type { Database } from '../storage/database.ts';
import type { RelyingParty } from './relying-party.ts';

/** How long a change made by another process may stay unseen: half of the second we promise. */
const STAMP_LIFETIME_MS = 500;

export interface PartyCache {
  /** The stored party whatever its status; undefined when there is none. Mostly one look into a map. */
  read(clientId: string): Promise<RelyingParty | undefined>;
  /** To be called after this process has committed a change to the party. */
  forget(clientId: string): void;
  /** Another process may have changed something: nothing is believed before the store was asked. */
  lookAgain(): void;
}

interface Entry {
  readonly party: RelyingParty;
  generation: number;
}

/**
 * Keeps parsed rows. Twice a second the database is asked whether anybody has committed; if so, every entry is looked up once more
 * by its key before it is believed again, and an unchanged row keeps its object. Unknown ids are never kept, so the map is no
 * larger than the table and a flood of invented ids fills nothing.
 */
export function createPartyCache(
  database: Database,
  load: (clientId: string) => Promise<RelyingParty | undefined>,
): PartyCache {
  const entries = new Map<string, Entry>();
  let stamp: number | undefined;
  let stampedAtMs = Number.NEGATIVE_INFINITY;
  let stamping: Promise<void> | undefined;
  let generation = 0;
  /** Counts the hints: a stamp asked for before the last of them is not believed either. */
  let hints = 0;
  /** Counts our own changes: a row read before one of them must not be kept after it. */
  let changes = 0;

  const renewStamp = async (): Promise<void> => {
    const [askedAtMs, hintsBefore] = [monotonicMs(), hints];
    const current = await database.changeStamp();
    if (current !== stamp) generation += 1;
    stamp = current;
    if (hints === hintsBefore) stampedAtMs = askedAtMs;
  };

  const reload = async (clientId: string, entry: Entry | undefined): Promise<RelyingParty | undefined> => {
    const [changesBefore, generationBefore] = [changes, generation];
    const loaded = await load(clientId);
    if (changes !== changesBefore) return loaded;
    if (loaded === undefined) {
      entries.delete(clientId);
      return undefined;
    }
    const party = entry !== undefined && sameRow(entry.party, loaded) ? entry.party : loaded;
    entries.set(clientId, { party, generation: generationBefore });
    return party;
  };

  return {
    async read(clientId) {
      if (monotonicMs() - stampedAtMs >= STAMP_LIFETIME_MS) {
        stamping ??= renewStamp().finally(() => {
          stamping = undefined;
        });
        await stamping;
      }
      const entry = entries.get(clientId);
      return entry?.generation === generation ? entry.party : reload(clientId, entry);
    },
    forget(clientId) {
      changes += 1;
      entries.delete(clientId);
    },
    lookAgain() {
      hints += 1;
      stampedAtMs = Number.NEGATIVE_INFINITY;
    },
  };
}

const sameRow = (left: RelyingParty, right: RelyingParty): boolean =>
  left.status === right.status &&
  left.secretDigest === right.secretDigest &&
  left.updatedAt === right.updatedAt &&
  JSON.stringify(left.record) === JSON.stringify(right.record);
