import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { type NetworkTable, networkTable } from './networks.ts';

/** Where a network is. */
export interface Place {
  readonly region: string;
  /** Degrees, north and east positive. */
  readonly latitude: number;
  readonly longitude: number;
}

export type RegionTable = NetworkTable<Place>;

export type RegionsOutcome =
  | { readonly ok: true; readonly regions: RegionTable }
  | { readonly ok: false; readonly reason: string };

const FILE_BYTES_MAX = 64 * 1024 * 1024;
const NETWORKS_MAX = 500_000;

const FILE = z
  .array(
    z.strictObject({
      network: z.string().max(50),
      region: z.string().min(1).max(100),
      latitude: z.number().min(-90).max(90),
      longitude: z.number().min(-180).max(180),
    }),
  )
  .max(NETWORKS_MAX);

/**
 * Reads the table of networks and regions: a JSON list of `{ network, region, latitude, longitude }`. Read once, at the start.
 * The reason is a sentence for the operator that names the file and the first mistake.
 */
export function loadRegions(file: string): RegionsOutcome {
  const refuse = (reason: string): RegionsOutcome => ({ ok: false, reason: `watch.regionsFile ${file} ${reason}.` });
  let input: unknown;
  try {
    if (statSync(file).size > FILE_BYTES_MAX) return refuse('is larger than 64 MiB');
    input = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const cause = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    return refuse(error instanceof SyntaxError ? 'is not JSON' : `cannot be read${cause}`);
  }
  const parsed = FILE.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    return refuse(`is not such a table: at ${issue.path.join('.') || 'the top'}, ${issue.message}`);
  }
  const table = networkTable(
    parsed.data.map(({ network, region, latitude, longitude }) => [network, { region, latitude, longitude }] as const),
  );
  return 'wrong' in table ? refuse(`names ${table.wrong}, which is no network`) : { ok: true, regions: table };
}

const EARTH_RADIUS_KM = 6371;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** The way between two places along the surface of the earth (haversine). */
export function distanceKm(from: Place, to: Place): number {
  const latitudes = radians(to.latitude - from.latitude);
  const longitudes = radians(to.longitude - from.longitude);
  const chord =
    Math.sin(latitudes / 2) ** 2 +
    Math.cos(radians(from.latitude)) * Math.cos(radians(to.latitude)) * Math.sin(longitudes / 2) ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(chord)));
}
