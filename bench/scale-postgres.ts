import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { House } from '../src/app.ts';
import { sayHugePages } from './huge-pages.ts';
import { startOwnPostgres } from './own-postgres.ts';
import { fillPeople, openPeopled, readPages, schemaFor } from './postgres-people.ts';
import { measureLookUps, type PeopledStore, tellLookUps } from './scale-look-ups.ts';

/*
 * Whether finding somebody at sign-in stays as fast on PostgreSQL with a million people, or ten, as with ten thousand. Both stand in schemas of one
 * server.
 */

const FEW = 10_000;
/** The most that PostgreSQL's manual sees any use in, of the memory of a machine (section 20.4.1); what is not asked for takes none of it. */
const BUFFERS_SHARE = 0.4;
const MEBIBYTE = 2 ** 20;
/** Rows and indexes of a person, and what both stores have besides. */
const BUFFERED_BYTES_A_PERSON = 1_200;
const BUFFERED_SPARE_BYTES = 2 ** 30;

function buffersFor(people: number): number {
  const wanted = people * BUFFERED_BYTES_A_PERSON + BUFFERED_SPARE_BYTES;
  return Math.floor(Math.min(wanted, totalmem() * BUFFERS_SHARE) / MEBIBYTE);
}

/** Nothing in this server outlives the run. Large pages are taken where the machine has set enough aside. */
const settingsFor = (people: number): readonly string[] => [
  `shared_buffers=${buffersFor(people)}MB`,
  'huge_pages=try',
  'max_wal_size=4GB',
  'checkpoint_timeout=30min',
  'fsync=off',
  'synchronous_commit=off',
  'autovacuum=off',
];
/** Rows, indexes, what they are made of, and the log that is written meanwhile. */
const BYTES_A_PERSON = 3_000;
const SPARE_BYTES = 8e9;
/** Many short rounds: what the machine does beside them spoils some of them and not the middle. */
const PACE = { rounds: 40, lookUps: 600, cold: 200 } as const;
/** As few as can still agree beyond reasonable doubt where an index is missing. */
const QUICK_PACE = { ...PACE, rounds: 16 } as const;

/** `npm run bench -- --scale --engine postgres`. Resolves with the exit code: 1 when the bar is missed, 2 when it cannot be measured. */
export async function runPostgresScale(
  people: number,
  {
    postgres: url,
    json,
    quick = false,
  }: { readonly postgres?: string | undefined; readonly json?: string | undefined; readonly quick?: boolean },
): Promise<number> {
  if (!Number.isInteger(people) || people <= FEW) {
    process.stderr.write(`--people is a whole number above ${FEW}.\n`);
    return 2;
  }
  const { bavail, bsize } = await statfs(tmpdir());
  if (url === undefined && bavail * bsize < people * BYTES_A_PERSON + SPARE_BYTES) {
    process.stderr.write(
      `The disk has no room for ${people} people: ${Math.round((bavail * bsize) / 1e9)} GB are free.\n`,
    );
    return 2;
  }
  const own = url === undefined ? await startOwnPostgres(settingsFor(people)) : undefined;
  const folder = await mkdtemp(join(tmpdir(), 'tongban-scale-'));
  const client = new pg.Client({ connectionString: url ?? own!.url });
  // Its server may end first.
  client.on('error', () => {});
  const houses: House[] = [];
  try {
    await client.connect();
    process.stdout.write(`${await sayHugePages(client)}\n`);
    const places = [FEW, people].map((count) => schemaFor(count, url ?? own!.url, folder));
    const stores: PeopledStore[] = [];
    for (const place of places) {
      await fillPeople(client, place);
      const house = await openPeopled(place);
      houses.push(house);
      stores.push({ house, known: place.made });
    }
    // The small one last: it has its place in the memory of the server whatever the size of the other.
    const warm = async (): Promise<void> => {
      for (const { schema } of places.toReversed()) await readPages(client, schema);
    };
    const rows = await measureLookUps([stores[0]!, stores[1]!], {
      warm,
      alone: false,
      ...(quick ? QUICK_PACE : PACE),
    });
    return await tellLookUps(rows, [FEW, places[1]!.people], json);
  } finally {
    for (const house of houses) await house.close();
    await client.end();
    await own?.remove();
    await rm(folder, { recursive: true, force: true });
  }
}
