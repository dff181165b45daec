import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { House } from '../app.ts';
import { visibleText } from '../web/visible-text.ts';
import { readTokenFile } from './token-file.ts';

export interface FactorCommandContext {
  readonly house: Pick<House, 'boundFactors' | 'database' | 'persons' | 'reaching' | 'tokenStock'>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

export const USAGE = `Usage:
  tongban factor tokens import FILE [--dry-run]   take hardware tokens into stock: all lines of the file, or none
  tongban factor tokens count                     how many are in stock, and how many belong to somebody
  tongban factor list PERSON                      what a person proves themselves with beside the password
  tongban factor remove PERSON FACTOR --reason TEXT
                                                  take a factor off somebody who has lost it and was seen at a counter
  Each takes --json.
`;

const FAULTS_SHOWN = 50;
const REASON_CHARS_MAX = 200;
const ORIGIN = 'command';

type Answer = { readonly code: 0 | 1; readonly json: object; readonly text: string };

/** `tongban factor ...`. Never prints a seed or a secret. */
export async function run(args: readonly string[], context: FactorCommandContext): Promise<number> {
  const line = read(args);
  const answer = line && (await answerTo(line, context));
  if (line === undefined || answer === undefined) {
    context.stderr.write(USAGE);
    return 2;
  }
  const said = line.json ? `${JSON.stringify(answer.json)}\n` : answer.text;
  (answer.code === 0 || line.json ? context.stdout : context.stderr).write(said);
  return answer.code;
}

interface Line {
  readonly words: readonly string[];
  readonly dryRun: boolean;
  readonly reason: string;
  readonly json: boolean;
}

function read(args: readonly string[]): Line | undefined {
  const options = { 'dry-run': { type: 'boolean' }, reason: { type: 'string' }, json: { type: 'boolean' } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const reason = visibleText(values.reason ?? '').trim();
    return { words: positionals, dryRun: values['dry-run'] === true, reason, json: values.json === true };
  } catch {
    return undefined;
  }
}

async function answerTo({ words, dryRun, reason }: Line, { house }: FactorCommandContext): Promise<Answer | undefined> {
  const [first, second, third] = words;
  if (first === 'tokens' && second === 'import' && third !== undefined && words.length === 3)
    return importTokens(third, dryRun, house);
  if (first === 'tokens' && second === 'count' && words.length === 2) return countTokens(house);
  if (first === 'list' && second !== undefined && words.length === 2) return listFactors(second, house);
  const hasReason = reason !== '' && reason.length <= REASON_CHARS_MAX;
  if (first === 'remove' && second !== undefined && third !== undefined && words.length === 3 && hasReason)
    return removeFactor(second, third, reason, house);
  return undefined;
}

async function importTokens(file: string, dryRun: boolean, { tokenStock }: FactorCommandContext['house']) {
  const read = readTokenFile(await readFile(file));
  if (!read.ok) return refusal(read.faults);
  const serials = read.tokens.map(({ serial }) => serial);
  const known = new Set(dryRun ? await tokenStock.known(serials) : await tokenStock.take(read.tokens, ORIGIN));
  const faults = read.tokens
    .filter(({ serial }) => known.has(serial))
    .map(({ line }) => ({ line, reason: 'this token is there already' }));
  if (faults.length > 0) return refusal(faults);
  const count = read.tokens.length;
  return {
    code: 0,
    json: { imported: dryRun ? 0 : count, wouldImport: count },
    text: dryRun
      ? `${count} tokens could be taken in; nothing was written.\n`
      : `${count} tokens are in stock. Destroy the file now: it opens every account that will use one of them.\n`,
  } as const;
}

const refusal = (faults: readonly { readonly line: number; readonly reason: string }[]): Answer => ({
  code: 1,
  json: { imported: 0, faults: faults.slice(0, FAULTS_SHOWN), faultCount: faults.length },
  text: `Nothing was taken in; ${faults.length} to be mended:\n${faults
    .slice(0, FAULTS_SHOWN)
    .map(({ line, reason }) => `  line ${line}: ${reason}\n`)
    .join('')}`,
});

async function countTokens({ tokenStock }: FactorCommandContext['house']): Promise<Answer> {
  const counts = await tokenStock.counts();
  return { code: 0, json: counts, text: `${counts.inStock} in stock, ${counts.bound} with people.\n` };
}

const time = (seconds: number): string => new Date(seconds * 1000).toISOString();

async function listFactors(
  personId: string,
  { boundFactors, persons }: FactorCommandContext['house'],
): Promise<Answer> {
  if ((await persons.find(personId)) === undefined) return { code: 1, json: {}, text: 'There is no such person.\n' };
  const factors = await boundFactors.list(personId);
  // The names people give are theirs alone.
  const shown = factors.map(({ id, kind, boundAt, lastUsedAt }) => ({
    id,
    kind,
    boundAt: time(boundAt),
    ...(lastUsedAt === undefined ? {} : { lastUsedAt: time(lastUsedAt) }),
  }));
  const text = shown.map(({ id, kind, boundAt }) => `${id}  ${kind}  since ${boundAt}\n`).join('');
  return { code: 0, json: shown, text: text === '' ? 'None but the password.\n' : text };
}

async function removeFactor(
  personId: string,
  factorId: string,
  reason: string,
  { boundFactors, database, reaching }: FactorCommandContext['house'],
): Promise<Answer> {
  const kind = await database.write(async (tx) => {
    const change = { origin: ORIGIN, cause: 'lost', reason };
    const removed = await boundFactors.remove(tx, personId, factorId, change);
    if (removed !== undefined) await reaching.notices.tell(tx, personId, 'factor-removed', {});
    return removed;
  });
  if (kind === undefined) return { code: 1, json: { removed: false }, text: 'This person has no such factor.\n' };
  return { code: 0, json: { removed: true, kind }, text: `Removed: ${kind}. The person is told.\n` };
}
