import type { Place } from '../defence/regions.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';

/** A region somebody has signed in from, and when last. */
export interface SignInPlace {
  readonly place: Place;
  readonly at: number;
}

/**
 * The regions a person has signed in from: a few names of provinces and cities, without addresses. Only where a table of regions is configured; kept
 * for half a year, and gone with the account.
 */
export interface SignInPlaces {
  /** The newest first. */
  of(personId: string): Promise<readonly SignInPlace[]>;
  /** To be written with the sign-in. */
  remember(tx: Transaction, personId: string, place: Place): Promise<void>;
  sweep(limit: number): Promise<number>;
}

const PLACES_MAX = 10;
const KEPT_SECONDS = 180 * 86_400;

const SELECT = `SELECT region, latitude, longitude, seen_at FROM sign_in_places WHERE person_id = $1 AND seen_at > $2
  ORDER BY seen_at DESC, region LIMIT $3`;
const REMEMBER = `INSERT INTO sign_in_places (person_id, region, latitude, longitude, seen_at) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (person_id, region) DO UPDATE SET latitude = excluded.latitude, longitude = excluded.longitude,
  seen_at = excluded.seen_at`;
const SWEEP = `DELETE FROM sign_in_places WHERE (person_id, region) IN
  (SELECT person_id, region FROM sign_in_places WHERE seen_at < $1 LIMIT $2)
  AND seen_at < $1`;

interface Row {
  readonly region: string;
  readonly latitude: string;
  readonly longitude: string;
  readonly seen_at: number;
}

export function createSignInPlaces(database: Database): SignInPlaces {
  return {
    async of(personId) {
      const rows = await database.all<Row>(SELECT, [personId, nowSeconds() - KEPT_SECONDS, PLACES_MAX]);
      return rows.map(({ region, latitude, longitude, seen_at: at }) => ({
        place: { region, latitude: Number(latitude), longitude: Number(longitude) },
        at: Number(at),
      }));
    },
    async remember(tx, personId, { region, latitude, longitude }) {
      tx.post(REMEMBER, [personId, region, String(latitude), String(longitude), nowSeconds()]);
    },
    sweep: (limit) => database.run(SWEEP, [nowSeconds() - KEPT_SECONDS, limit]),
  };
}
