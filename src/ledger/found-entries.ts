import type { Database } from '../storage/database.ts';

/** What entries are found by: acts of a person, everything of a person, or an address. */
export type FoundBy = 'acts' | 'person' | 'address';

interface FoundRow {
  readonly seq: number;
  readonly seqs: string | null;
  readonly tokens: string | null;
}

const BELOW = `SELECT seq, seqs, tokens FROM ledger_index WHERE kind = $1 AND key = $2 AND seq < $3
  ORDER BY seq DESC LIMIT $4`;
/** A row stands where the last of its entries does, and those of one key follow one another: of the rows above only the first can reach below. */
const ABOVE = `SELECT seq, seqs, tokens FROM ledger_index WHERE kind = $1 AND key = $2 AND seq >= $3
  ORDER BY seq LIMIT $4`;

const KINDS: Readonly<Record<FoundBy, readonly string[]>> = {
  acts: ['subject'],
  person: ['subject', 'token'],
  address: ['address'],
};

const listed = (numbers: string | null): readonly number[] => (numbers === null ? [] : numbers.split(',').map(Number));

/** The numbers of what is found by `key`, newest first: at most `limit`, all below `below`. */
export async function findSeqs(
  database: Database,
  by: FoundBy,
  key: string,
  { below, limit }: { readonly below: number; readonly limit: number },
): Promise<readonly number[]> {
  const rows: FoundRow[] = [];
  for (const kind of KINDS[by]) {
    rows.push(...(await database.all<FoundRow>(ABOVE, [kind, key, below, 1])));
    rows.push(...(await database.all<FoundRow>(BELOW, [kind, key, below, limit])));
  }
  const seqs = rows.flatMap(({ seq, seqs: several, tokens }) => [
    ...(several === null ? [Number(seq)] : listed(several)),
    ...(by === 'person' ? listed(tokens) : []),
  ]);
  return seqs
    .filter((seq) => seq < below)
    .sort((left, right) => right - left)
    .slice(0, limit);
}
