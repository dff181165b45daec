import { readdirSync, readFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { MIGRATIONS } from '../src/storage/migrations.ts';
import { openDatabase } from '../src/storage/open.ts';
import { postgresSchema, postgresTest } from './support/databases.ts';
import { everyday } from './support/everyday.ts';
import { listenToPostgres } from './support/heard-statements.ts';

/** What every engine with SQL:1999 understands the same; nobody asks after these. */
const COMMON = new Set(
  `add after all alter and as asc before begin begins between by case check column commit constraint count create default delete desc distinct drop
   each else end exists foreign from function group in index inner insert into is join key left like max min not null on or order primary references
   returns row select set statement sum table then trigger union unique update using value values view when where with rollback for <>`.split(
    /\s+/,
  ),
);

const wordsOf = (text: string): readonly string[] =>
  (text.match(/[a-z_]\w*|::|->>?|\|\||<>/gi) ?? []).map((word) => word.toLowerCase());

/** The words and signs of a statement that are no names, values or parameters of ours. */
function spokenIn(text: string, names: ReadonlySet<string>): readonly string[] {
  const aliases = new Set(
    [...text.matchAll(/\bAS\s+(?!IDENTITY)"?(\w+)"?|\bWITH\s+(\w+)\s+AS/gi)].map(([, alias, table]) =>
      (alias ?? table)!.toLowerCase(),
    ),
  );
  // The body of a function is a string that is spoken as well, with strings of its own.
  const bare = text
    .replaceAll(/\/\*.*?\*\//gs, ' ')
    .replaceAll(/'(?:[^']|'')*'/g, (string) =>
      /^'BEGIN\s/.test(string) ? string.slice(1, -1).replaceAll(/''[^']*''/g, ' ') : ' ',
    )
    .replaceAll(/"\w+"|\$\d+/g, ' ');
  return wordsOf(bare).filter(
    (word) => !COMMON.has(word) && !names.has(word) && !aliases.has(word) && !/^[a-z]$/.test(word),
  );
}

/** Files whose statements PostgreSQL never sees. */
const OF_SQLITE = /^(?:storage\/(?:sqlite|moving\/(?:moved-tables|move-source))|people\/found-copies)/;
/** Its own table, which is gone when it is done. */
const OF_THE_MOVE = ['move_state', 'moved', 'place'];
const STATEMENT = /^\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|SET LOCAL|DROP TABLE|CREATE TABLE|ANALYZE)\s/;

/** Statements as they stand in the code, those of rare ways too; what is put in at run time is left out. */
const writtenStatements = (): readonly string[] =>
  readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('storage/migrations/') && !OF_SQLITE.test(file))
    .flatMap((file) => [
      ...readFileSync(`src/${file}`, 'utf8').matchAll(/`((?:[^`\\]|\\.)*)`|'((?:[^'\\\n]|\\.)*)'|"([^"\n]*)"/g),
    ])
    .map(([, template, single, double]) => template ?? single ?? double ?? '')
    .filter((text) => STATEMENT.test(text) && !/sqlite_master|\bPRAGMA\b/.test(text))
    .map((text) => text.replaceAll(/\$\{[^}]*\}/g, ' '))
    .filter((text) => !text.includes('${'));

async function vocabulary(t: ExecutionContext) {
  const url = await postgresSchema(t);
  const listening = listenToPostgres();
  await everyday(t, { database: { url } });
  listening.stop();
  const database = await openDatabase({ url, poolMax: 1 });
  t.teardown(() => database.close());
  const rows = await database.all<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.columns WHERE table_schema = current_schema()
     UNION SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()
     UNION SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()
     UNION SELECT conname FROM pg_constraint UNION SELECT trigger_name FROM information_schema.triggers
     UNION SELECT column_name FROM information_schema.columns WHERE table_schema = 'information_schema' AND table_name = 'columns'
     UNION SELECT routine_name FROM information_schema.routines WHERE routine_schema = current_schema()`,
    [],
  );
  const names = new Set([...rows.map(({ name }) => name), ...OF_THE_MOVE]);
  const texts = [
    ...writtenStatements(),
    ...MIGRATIONS.flatMap(({ statements }) => statements('postgres')),
    ...listening.heard().map(({ text }) => text),
  ];
  const spoken = new Map<string, string>();
  for (const text of texts) for (const word of spokenIn(text, names)) spoken.set(word, text);
  return { spoken, names };
}

postgresTest(
  'what is asked of PostgreSQL beyond common SQL is what docs/engines.md lists, no more and no less',
  async (t) => {
    t.timeout(300_000);
    const { spoken, names } = await vocabulary(t);
    const [, chapter = ''] =
      /\n## What is asked of PostgreSQL\n([\s\S]*?)\n## /.exec(readFileSync('docs/engines.md', 'utf8')) ?? [];
    const listed = new Set(
      [...chapter.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => wordsOf(code!)).filter((word) => !COMMON.has(word)),
    );
    const unlisted = [...spoken].filter(([word]) => !listed.has(word));
    t.deepEqual(Object.fromEntries(unlisted), {}, 'spoken and not listed');
    t.deepEqual(
      [...listed].filter((word) => !spoken.has(word) && !names.has(word)),
      [],
      'listed and not spoken',
    );
  },
);
