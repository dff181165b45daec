import { readFileSync } from 'node:fs';

/** One row of a corpus: the text as it arrives, and in a few words what it tries. */
export interface CorpusRow {
  readonly trick: string;
  readonly text: string;
}

/**
 * The sections of `test/corpora/<name>.txt`. A line in quotation marks is a row, written as a JSON string; `[name]` begins a section;
 * any other line that is not empty says what the rows below it try. Lines before the first section are for readers.
 * Throws where a row is no JSON string or stands twice in its section: rows are counted, and a count must be worth something.
 */
export function readCorpus(name: string): ReadonlyMap<string, readonly CorpusRow[]> {
  const sections = new Map<string, CorpusRow[]>();
  let rows: CorpusRow[] | undefined;
  let trick = '';
  for (const line of readFileSync(new URL(`../corpora/${name}.txt`, import.meta.url), 'utf8').split('\n')) {
    if (line.startsWith('[')) {
      rows = [];
      sections.set(line.slice(1, -1), rows);
    } else if (line.startsWith('"')) {
      const text: unknown = JSON.parse(line);
      if (rows === undefined || typeof text !== 'string' || rows.some((row) => row.text === text))
        throw new Error(`${name}.txt has a row that is misplaced or stands there twice: ${line}`);
      rows.push({ trick, text });
    } else if (line !== '') trick = line;
  }
  return sections;
}

/** The rows of one section, at least `countMin` of them: a corpus that was not found proves nothing. */
export function rowsOf(
  sections: ReadonlyMap<string, readonly CorpusRow[]>,
  section: string,
  countMin: number,
): readonly CorpusRow[] {
  const rows = sections.get(section) ?? [];
  if (rows.length < countMin) throw new Error(`[${section}] has ${rows.length} rows and should have ${countMin}`);
  return rows;
}
