/** A word, number, parameter, text or sign of a statement, with where it stands and how many parentheses are open around it. */
export interface SqlWord {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly depth: number;
}

const WORD = /'(?:[^']|'')*'|\$\d+|[A-Za-z_]\w*|\d+|\S/g;

/** The words of one of our own statements. Keywords are written in capitals throughout, names in small letters. */
export function sqlWords(sql: string): readonly SqlWord[] {
  const words: SqlWord[] = [];
  let depth = 0;
  for (const { 0: text, index: start } of sql.matchAll(WORD)) {
    if (text === ')') depth -= 1;
    words.push({ text, start, end: start + text.length, depth });
    if (text === '(') depth += 1;
  }
  return words;
}

const PARAMETER = /\$(\d+)/g;

/** The same piece of a statement with its parameters numbered from one, and which of the old ones they are, counted from nought. */
export function renumbered(piece: string): { readonly sql: string; readonly taken: readonly number[] } {
  const taken: number[] = [];
  const sql = piece.replace(PARAMETER, (_whole, digits: string) => {
    const old = Number(digits) - 1;
    if (!taken.includes(old)) taken.push(old);
    return `$${taken.indexOf(old) + 1}`;
  });
  return { sql, taken };
}

/** Splits words at the commas of this depth. */
export function atCommas(words: readonly SqlWord[], depth: number): readonly (readonly SqlWord[])[] {
  const parts: SqlWord[][] = [[]];
  for (const word of words) {
    if (word.text === ',' && word.depth === depth) parts.push([]);
    else parts.at(-1)!.push(word);
  }
  return parts;
}
