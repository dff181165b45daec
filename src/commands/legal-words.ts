import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import type { House } from '../app.ts';
import type { By } from '../legal-persons/by.ts';
import { endOfDay } from '../legal-persons/mandate-rows.ts';
import { parseUscc, type Uscc } from '../legal-persons/uscc.ts';
import { visibleText } from '../web/visible-text.ts';

/** 0 done, 1 refused (a sentence on stderr, nothing changed), 2 not understood. */
export type ExitCode = 0 | 1 | 2;

/** What the commands of legal persons and mandates work on. `operator` is the account of the operating system. */
export interface LegalCommandContext {
  readonly house: Pick<House, 'legalPersons' | 'mandates' | 'persons'>;
  readonly operator: string;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** Ends a command with a sentence for whoever typed it. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly exitCode: ExitCode;

  constructor(sentence: string, exitCode: ExitCode = 1) {
    super(sentence);
    this.exitCode = exitCode;
  }
}

export type Shown = Readonly<Record<string, unknown>>;
export type Words = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** One thing a command can do: which options it takes, which it must have, how many operands, and what it answers. */
export interface Action {
  readonly options: readonly string[];
  readonly required?: readonly string[];
  readonly operands?: number;
  run(words: Words, operands: readonly string[], context: LegalCommandContext): Promise<Shown | readonly Shown[]>;
}

export interface Grammar {
  readonly usage: string;
  readonly options: ParseArgsOptionsConfig;
  readonly actions: Readonly<Record<string, Action>>;
}

/** Reads the line, runs its action, and prints the answer: a table for people, or with --json one JSON value. */
export async function runAction(
  args: readonly string[],
  grammar: Grammar,
  context: LegalCommandContext,
): Promise<ExitCode> {
  try {
    const { action, words, operands } = understand(args, grammar);
    const answer = await action.run(words, operands, context);
    context.stdout.write(words.json === true ? `${JSON.stringify(answer)}\n` : table(answer));
    return 0;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    context.stderr.write(`${error.message.trimEnd()}\n`);
    return error.exitCode;
  }
}

function understand(args: readonly string[], { usage, options, actions }: Grammar) {
  const line = read(args, options, usage);
  // Two words name an action where there is one of that name: `review list`.
  const [first = '', second = ''] = line.positionals;
  const names = [`${first} ${second}`, first];
  const name = names.find((candidate) => Object.hasOwn(actions, candidate));
  const action = name === undefined ? undefined : actions[name];
  if (name === undefined || action === undefined) throw new Refusal(usage, 2);
  const operands = line.positionals.slice(name.split(' ').length);
  const words = line.values as Words;
  const allowed = [...action.options, 'json'];
  const isFit =
    Object.keys(words).every((word) => allowed.includes(word)) && operands.length === (action.operands ?? 0);
  if (!isFit) throw new Refusal(usage, 2);
  for (const word of action.required ?? []) {
    if (words[word] === undefined) throw new Refusal(`--${word} is missing.`, 2);
  }
  return { action, words, operands };
}

function read(args: readonly string[], options: ParseArgsOptionsConfig, usage: string) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new Refusal(`${error instanceof Error ? visibleText(error.message) : 'Not understood.'}\n${usage}`, 2);
  }
}

function table(answer: Shown | readonly Shown[]): string {
  const rows = Array.isArray(answer) ? (answer as readonly Shown[]) : [answer as Shown];
  if (rows.length === 0) return 'There is none.\n';
  const one = (row: Shown): string =>
    Object.entries(row)
      .filter(([, value]) => value !== undefined)
      .map(
        ([name, value]) => `${name.padEnd(20)}${typeof value === 'object' ? JSON.stringify(value) : String(value)}\n`,
      )
      .join('');
  return rows.map(one).join('\n');
}

const REASON_CHARS_MAX = 200;

export const text = (words: Words, name: string): string | undefined => {
  const value = words[name];
  return typeof value === 'string' ? value : undefined;
};

/** One line of words by staff. It stays in the ledger, sealed; no personal data belongs in it. */
export function sentence(words: Words, name: string): string {
  const said = visibleText(text(words, name) ?? '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  if (said !== '' && said.length <= REASON_CHARS_MAX) return said;
  throw new Refusal(`--${name} says in at most ${REASON_CHARS_MAX} characters why.`, 2);
}

export function usccFrom(input: string, option: string): Uscc {
  const outcome = parseUscc(input);
  if (!outcome.ok) throw new Refusal(`--${option} is not a valid code (${outcome.reason}).`, 2);
  return outcome.uscc;
}

/** The company named by --id or by a code. */
export async function companyFrom(words: Words, { house }: LegalCommandContext, option = 'uscc'): Promise<string> {
  const [id, code] = [text(words, 'id'), text(words, option)];
  if ((id === undefined) === (code === undefined)) throw new Refusal(`Name the company by --id or by --${option}.`, 2);
  const found =
    code === undefined
      ? await house.legalPersons.find(id ?? '')
      : await house.legalPersons.findByUscc(usccFrom(code, option));
  if (found === undefined) throw new Refusal('There is no such legal person here.');
  return found.id;
}

/** Epoch seconds of the end of a day in Beijing, from `YYYY-MM-DD`. */
export function untilFrom(words: Words, name = 'until'): number | undefined {
  const said = text(words, name);
  if (said === undefined) return undefined;
  const until = endOfDay(said);
  if (until === undefined) throw new Refusal(`--${name} is a day such as 2027-01-31.`, 2);
  return until;
}

export function limitFrom(words: Words): { readonly limit?: number } {
  const said = text(words, 'limit');
  if (said === undefined) return {};
  if (!/^\d{1,3}$/.test(said)) throw new Refusal('--limit is a number up to 200.', 2);
  return { limit: Number(said) };
}

/** Who does it: staff alone, or with --as a person through staff. */
export async function byFrom(words: Words, context: LegalCommandContext): Promise<Exclude<By, 'house'>> {
  const as = text(words, 'as');
  if (as === undefined) return { operator: context.operator };
  return { personId: await activePerson(as, context), operator: context.operator };
}

/** A person who acts through staff must be able to act: shut accounts are not spoken for. */
async function activePerson(id: string, { house }: LegalCommandContext): Promise<string> {
  const person = await house.persons.find(id);
  if (person === undefined) throw new Refusal('There is no person of --as.');
  if (person.status !== 'active') throw new Refusal('The account of --as is not active.');
  return id;
}
