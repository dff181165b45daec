import type { Transaction } from '../../storage/database.ts';
import type { Holdings } from './holdings.ts';

interface PlaceRow {
  readonly region: string;
  readonly latitude: string;
  readonly longitude: string;
  readonly seen_at: number;
}

/** A region that came with the merged account, and since when the kept one had known it, if it did. */
interface MovedPlace extends PlaceRow {
  readonly heldAt: number | null;
}

const SELECT = 'SELECT region, latitude, longitude, seen_at FROM sign_in_places WHERE person_id = $1 ORDER BY region';
const WRITE = `INSERT INTO sign_in_places (person_id, region, latitude, longitude, seen_at) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (person_id, region) DO UPDATE SET seen_at = excluded.seen_at`;
const SET_BACK = 'UPDATE sign_in_places SET seen_at = $3 WHERE person_id = $1 AND region = $2 AND seen_at = $4';
const FORGET = 'DELETE FROM sign_in_places WHERE person_id = $1 AND region = $2 AND seen_at = $3';
const SHRED = 'DELETE FROM sign_in_places WHERE person_id = $1';

const placesOf = async (tx: Transaction, personId: string): Promise<readonly PlaceRow[]> =>
  (await tx.all<PlaceRow>(SELECT, [personId])).map((row) => ({ ...row, seen_at: Number(row.seen_at) }));

const write = (tx: Transaction, personId: string, { region, latitude, longitude, seen_at: at }: PlaceRow) =>
  tx.run(WRITE, [personId, region, latitude, longitude, at]);

/**
 * The regions a person has signed in from. It is one person who has been in all of them: were they left behind, the next sign-in from one would
 * count as new. On the way back a region is left alone where the kept account has been seen since.
 */
export const placeHoldings: Holdings = {
  name: 'places',
  async move(tx, { keptId, mergedId }) {
    const held = new Map((await placesOf(tx, keptId)).map(({ region, seen_at: at }) => [region, at]));
    const places: MovedPlace[] = [];
    for (const row of await placesOf(tx, mergedId)) {
      const heldAt = held.get(row.region) ?? null;
      places.push({ ...row, heldAt });
      if (heldAt === null || heldAt < row.seen_at) await write(tx, keptId, row);
    }
    await tx.run(SHRED, [mergedId]);
    return { ok: true, moved: { places }, counts: {} };
  },
  async moveBack(tx, { keptId, mergedId }, moved) {
    // Of a merge that is older than these rows nothing has gone over.
    for (const place of (moved.places ?? []) as readonly MovedPlace[]) {
      const { region, seen_at: at, heldAt } = place;
      await write(tx, mergedId, place);
      if (heldAt === null) await tx.run(FORGET, [keptId, region, at]);
      else await tx.run(SET_BACK, [keptId, region, heldAt, at]);
    }
    return { ok: true };
  },
  async shred(tx, personId) {
    await tx.run(SHRED, [personId]);
  },
};
