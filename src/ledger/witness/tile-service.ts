import type { Database } from '../../storage/database.ts';
import { nodesAtLevel } from '../sequencing/tree-growth.ts';
import { HASH_BYTES } from '../tree/merkle.ts';
import { parseTilePath, TILE_WIDTH } from '../tree/tiles.ts';

/** What to answer, whatever carries it. */
export interface TileAnswer {
  readonly status: 200 | 404;
  readonly type: string;
  readonly body: Uint8Array | string;
  /** How long anybody may keep the answer; 0 for not at all. */
  readonly cacheSeconds: number;
}

/** Answers one path, `/ledger/checkpoint` or `/ledger/tile/<L>/<N>[.p/<W>]` (L4), asked for by GET. */
export type TileService = (path: string) => Promise<TileAnswer>;

const PREFIX = '/ledger/';
/** A hash that a checkpoint covers never changes. */
const TILE_CACHE_SECONDS = 365 * 86_400;
const NOT_FOUND: TileAnswer = { status: 404, type: 'text/plain; charset=utf-8', body: 'Not found\n', cacheSeconds: 0 };

const NEWEST = 'SELECT size, note FROM ledger_checkpoints ORDER BY size DESC LIMIT $1';
const TILE = `SELECT hashes, (SELECT max(size) FROM ledger_checkpoints) AS "signedSize"
  FROM ledger_tiles WHERE level = $1 AND position = $2`;

/**
 * Shows witnesses and auditors the newest checkpoint and the hashes below it. Entries are never shown here, nor hashes that no
 * checkpoint covers yet. A tile may be asked for with any width it has, so that an older checkpoint can be followed too.
 */
export function createTileService(database: Database): TileService {
  return async (path) => {
    if (path === `${PREFIX}checkpoint`) return checkpoint(database);
    const tile = path.startsWith(PREFIX) ? parseTilePath(path.slice(PREFIX.length)) : undefined;
    if (tile === undefined || tile.level === 'entries') return NOT_FOUND;
    return hashes(database, tile.level, tile.position, tile.width);
  };
}

async function checkpoint(database: Database): Promise<TileAnswer> {
  const newest = await database.get<{ note: string }>(NEWEST, [1]);
  if (newest === undefined) return NOT_FOUND;
  return { status: 200, type: 'text/plain; charset=utf-8', body: newest.note, cacheSeconds: 0 };
}

async function hashes(database: Database, level: number, position: number, width: number): Promise<TileAnswer> {
  const row = await database.get<{ hashes: Uint8Array; signedSize: number | null }>(TILE, [level, position]);
  if (row === undefined) return NOT_FOUND;
  const signedWidth = nodesAtLevel(row.signedSize ?? 0, level) - position * TILE_WIDTH;
  const bytes = width * HASH_BYTES;
  if (width > signedWidth || bytes > row.hashes.length) return NOT_FOUND;
  return {
    status: 200,
    type: 'application/octet-stream',
    body: row.hashes.subarray(0, bytes),
    cacheSeconds: TILE_CACHE_SECONDS,
  };
}
