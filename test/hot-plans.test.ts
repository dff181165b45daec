import { join } from 'node:path';
import type { Database } from '../src/storage/database.ts';
import { connectForLong, migrateStore, openDatabase } from '../src/storage/open.ts';
import { postgresSchema, postgresTest } from './support/databases.ts';
import { everyday } from './support/everyday.ts';
import { fillPostgres } from './support/filled-postgres.ts';
import { temporaryFolder } from './support/folders.ts';
import { type Heard, listenToPostgres } from './support/heard-statements.ts';
import { rowMakers } from './support/plausible-rows.ts';

const ROWS = 1_000_000;
/** More rows than this are read by nobody who waits, unless a LIMIT ends it. */
const ROWS_EXPECTED_MAX = 10_000;
const MINUTES = 60_000;

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Plan Rows': number;
  readonly 'Total Cost': number;
  readonly Plans?: readonly Plan[];
}

const literal = (value: unknown): string => {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return `decode('${Buffer.from(value).toString('hex')}', 'hex')`;
  return `'${String(value).replaceAll("'", "''")}'`;
};

/** The plan of a prepared statement for these values, or for any; nothing is run. */
async function planOf(
  database: Database,
  { text, values }: Heard,
  mode: 'force_generic_plan' | 'force_custom_plan',
): Promise<Plan> {
  return database.write(async (tx) => {
    await tx.run(`SET LOCAL plan_cache_mode = ${mode}`, []);
    await tx.run(`PREPARE looked AS ${text}`, []);
    const given = values.length === 0 ? '' : ` (${values.map(literal).join(', ')})`;
    const [row] = await tx.all<{ 'QUERY PLAN': readonly { readonly Plan: Plan }[] }>(
      `EXPLAIN (FORMAT JSON) EXECUTE looked${given}`,
      [],
    );
    await tx.run('DEALLOCATE looked', []);
    return row!['QUERY PLAN'][0]!.Plan;
  });
}

type Large = (table: string) => boolean;

/** What is wrong with a plan: a large table that is read as a whole, or from which too much is expected. */
function complaints(plan: Plan, large: Large, limited = false): readonly string[] {
  const { 'Node Type': kind, 'Relation Name': table = '', 'Plan Rows': rows, Plans = [] } = plan;
  const own =
    !large(table) || kind === 'ModifyTable'
      ? []
      : [
          ...(kind.includes('Seq Scan') ? [`${table} is read as a whole`] : []),
          ...(!limited && rows > ROWS_EXPECTED_MAX ? [`${rows} rows of ${table} are expected`] : []),
        ];
  return [...own, ...Plans.flatMap((part) => complaints(part, large, limited || kind === 'Limit'))];
}

/** PostgreSQL keeps the plan for any values where it costs no more than making one for each; so much is what the making counts for. */
const PLANNING_COST = 25;

/** Who takes some hundreds of rows out of twenty thousand rightly reads them all; out of a million it would be felt. */
const SWEEP = /^DELETE FROM \w+ WHERE .+ IN\s*\(SELECT .+ LIMIT \$\d\)/s;
const LARGE_ROWS = { ofSweep: 100_000, ofOthers: 1_000 } as const;

async function complaintsOf(
  database: Database,
  heard: Heard,
  filled: ReadonlyMap<string, number>,
): Promise<readonly string[]> {
  const largeRows = SWEEP.test(heard.text) ? LARGE_ROWS.ofSweep : LARGE_ROWS.ofOthers;
  const large: Large = (table) => (filled.get(table) ?? 0) >= largeRows;
  const custom = await planOf(database, heard, 'force_custom_plan');
  const generic = await planOf(database, heard, 'force_generic_plan');
  const isKept = generic['Total Cost'] <= custom['Total Cost'] + PLANNING_COST;
  return [...complaints(custom, large), ...(isKept ? complaints(generic, large) : [])];
}

/** Before a store has the seals of its rows, once in its life, and never again. */
const ONCE_IN_ITS_LIFE = /LIKE '%"rows":"sealed"%/;

const isPlanned = ({ text }: Heard): boolean =>
  /^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/i.test(text) && !ONCE_IN_ITS_LIFE.test(text);

postgresTest.serial(
  `every statement of a running server finds its rows through an index among ${ROWS} (postgres)`,
  async (t) => {
    t.timeout(15 * MINUTES);
    const scratch = await openDatabase({ file: join(temporaryFolder(t), 'shape.db') });
    const makers = await rowMakers(scratch);
    await scratch.close();
    const url = await postgresSchema(t);
    await migrateStore({ url });
    const province = await connectForLong({ url });
    t.teardown(() => province.close());
    const startedMs = performance.now();
    const filled = await fillPostgres(province, makers, ROWS);
    t.log(`filled in ${Math.round((performance.now() - startedMs) / 1000)} s`);

    const today = await postgresSchema(t);
    await migrateStore({ url: today });
    const listening = listenToPostgres();
    await everyday(t, { database: { url: today } });
    listening.stop();
    const planned = listening.heard().filter(isPlanned);
    t.true(planned.length > 100, `${planned.length} statements heard`);
    const wrong: string[] = [];
    for (const heard of planned) {
      const found = await complaintsOf(province, heard, filled);
      if (found.length > 0) wrong.push(`${found.join(', ')}: ${heard.text}`);
    }
    t.log(`${planned.length} statements`);
    t.deepEqual(wrong, []);
    const unindexed = { text: 'SELECT id FROM persons WHERE ial = $1', values: [2] };
    t.true(
      (await complaintsOf(province, unindexed, filled)).includes('persons is read as a whole'),
      'it would be told',
    );
  },
);
