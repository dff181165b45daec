import { isUtf8 } from 'node:buffer';
import { parseArgs } from 'node:util';
import type { PasswordFactor, PreparedPassword } from '../factors/password.ts';
import { judgePassword, type PasswordLengths, type PasswordRefusal } from '../factors/password-policy.ts';
import { factsOf, type IdNumber, parseIdNumber } from '../people/id-number.ts';
import type { AssuranceLevel } from '../people/person.ts';
import { type PersonDetails, parsePersonDetails } from '../people/person-details.ts';
import type { Persons } from '../people/persons.ts';
import { visibleText } from '../web/visible-text.ts';

/** What the command works with. `stdin` yields the password, `stdout` takes results, `stderr` one sentence on a refusal. */
export interface PersonCommandContext {
  readonly persons: Persons;
  readonly passwords: PasswordFactor;
  readonly passwordLengths: PasswordLengths;
  readonly contextWords: readonly string[];
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** 0: done. 1: refused, nothing was changed. 2: the command line is not understood. */
export type ExitCode = 0 | 1 | 2;

export const USAGE = `tongban person add --id-number NUMBER --name NAME [--phone P] [--email E] [--address A] [--ial 0-4] [--password-stdin] [--json]
tongban person show    (--id ID | --id-number NUMBER) [--json]
tongban person disable (--id ID | --id-number NUMBER) [--reason TEXT] [--json]
tongban person enable  (--id ID | --id-number NUMBER) [--reason TEXT] [--json]
tongban person unfreeze (ID | --id ID | --id-number NUMBER) --reason TEXT [--json]
    after the person has proven who they are; TEXT says how and where, and holds no personal data
`;

const ORIGIN = 'command';
const UNFREEZE = 'unfreeze';
const REASON_LENGTH_MAX = 200;
const STDIN_BYTES_MAX = 4096;
const OPTIONS = {
  id: { type: 'string' },
  'id-number': { type: 'string' },
  name: { type: 'string' },
  phone: { type: 'string' },
  email: { type: 'string' },
  address: { type: 'string' },
  ial: { type: 'string' },
  reason: { type: 'string' },
  'password-stdin': { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

type Options = ReturnType<typeof parsed>['values'];
const parsed = (args: readonly string[]) => parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });

/** A refusal in one sentence. Returned, not thrown: it is an ordinary answer. */
interface Refusal {
  readonly refusal: string;
  readonly exitCode: ExitCode;
}
const refuse = (refusal: string, exitCode: ExitCode = 1): Refusal => ({ refusal, exitCode });
const isRefusal = (outcome: object): outcome is Refusal => 'refusal' in outcome;

/** `tongban person ...`: accounts of natural persons from the command line. Numbers and names are shown masked only. */
export async function run(args: readonly string[], context: PersonCommandContext): Promise<ExitCode> {
  let line: ReturnType<typeof parsed>;
  try {
    line = parsed(args);
  } catch (error) {
    context.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const { values, positionals } = line;
  const [name = '', ...operands] = positionals;
  const action = ACTIONS.get(name);
  if (action === undefined || operands.length > (name === UNFREEZE ? 1 : 0)) {
    context.stderr.write(USAGE);
    return 2;
  }
  const outcome = await action(operands.length === 0 ? values : named(values, operands[0]!), context);
  if (!isRefusal(outcome)) {
    context.stdout.write(values.json === true ? `${JSON.stringify(outcome)}\n` : table(outcome));
    return 0;
  }
  context.stderr.write(`${outcome.refusal}\n`);
  return outcome.exitCode;
}

type Shown = Readonly<Record<string, string | number>>;
type Action = (options: Options, context: PersonCommandContext) => Promise<Shown | Refusal>;

const table = (shown: Shown): string =>
  Object.entries(shown)
    .map(([name, value]) => `${name.padEnd(16)}${value}\n`)
    .join('');

const add: Action = async (options, context) => {
  const number = numberOf(options);
  if (typeof number !== 'string') return number;
  const { name, phone, email, address } = options;
  const read = parsePersonDetails({ name, phone, email, address });
  if (!read.ok) return refuse(`--${read.field} is missing or not acceptable.`, 2);
  if (!/^[0-4]$/.test(options.ial ?? '1')) return refuse('--ial is a level from 0 to 4.', 2);
  const ial = Number(options.ial ?? 1) as AssuranceLevel;
  const password = options['password-stdin'] === true ? await passwordFor(number, read.details, context) : undefined;
  if (password !== undefined && typeof password !== 'string') return password;

  const outcome = await context.persons.add(
    { idNumber: number, ...read.details, ial, origin: ORIGIN },
    password && ((tx, person) => context.passwords.store(tx, person.id, password, ORIGIN)),
  );
  if (!outcome.ok) return refuse('This ID number has an account already.');
  return describe(outcome.person.id, context);
};

const show: Action = async (options, context) => {
  const id = await identify(options, context);
  return typeof id === 'string' ? describe(id, context) : id;
};

/** The reason on one line; empty when there is none, or more than may be kept. */
function reasonOf(options: Options): string {
  const reason = visibleText(options.reason ?? '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return reason.length > REASON_LENGTH_MAX ? '' : reason;
}

const switching =
  (change: 'disable' | 'enable'): Action =>
  async (options, context) => {
    const reason = options.reason === undefined ? undefined : reasonOf(options);
    if (reason === '') return refuse(`--reason says in at most ${REASON_LENGTH_MAX} characters why.`, 2);
    const id = await identify(options, context);
    if (typeof id !== 'string') return id;
    const outcome = await context.persons[change](id, ORIGIN, reason);
    if (outcome === 'unknown') return UNKNOWN;
    const shown = await describe(id, context);
    return change === 'enable' && 'status' in shown && shown.status === 'frozen' ? FROZEN : shown;
  };

const unfreeze: Action = async (options, context) => {
  const reason = reasonOf(options);
  if (reason === '') {
    return refuse(
      `--reason says in at most ${REASON_LENGTH_MAX} characters how the person has proven who they are.`,
      2,
    );
  }
  const id = await identify(options, context);
  if (typeof id !== 'string') return id;
  const outcome = await context.persons.unfreeze(id, ORIGIN, reason);
  if (outcome === 'unknown') return UNKNOWN;
  return outcome === 'unchanged' ? NOT_FROZEN : describe(id, context);
};

const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ['add', add],
  ['show', show],
  ['disable', switching('disable')],
  ['enable', switching('enable')],
  [UNFREEZE, unfreeze],
]);

const UNKNOWN = refuse('There is no such person.');
const FROZEN = refuse('The account of this person is frozen: use unfreeze, and say why.');
const NOT_FROZEN = refuse('The account of this person is not frozen; nothing was changed.');

/** The options with the person named by an operand; naming the person twice is refused by `identify`. */
const named = (options: Options, id: string): Options =>
  options.id === undefined ? { ...options, id } : { ...options, 'id-number': id };

async function identify(options: Options, { persons }: PersonCommandContext): Promise<string | Refusal> {
  if ((options.id === undefined) === (options['id-number'] === undefined)) {
    return refuse('Name the person by --id or by --id-number.', 2);
  }
  if (options.id !== undefined) return options.id;
  const number = numberOf(options);
  if (typeof number !== 'string') return number;
  return (await persons.findByIdNumber(number))?.id ?? UNKNOWN;
}

/** The number itself never stands in a message: terminals are recorded (F6). */
function numberOf(options: Options): IdNumber | Refusal {
  const input = options['id-number'];
  if (input === undefined) return refuse('--id-number is missing.', 2);
  const outcome = parseIdNumber(input);
  return outcome.ok ? outcome.number : refuse(`--id-number is not a valid ID number (${outcome.reason}).`, 2);
}

async function describe(id: string, { persons }: PersonCommandContext): Promise<Shown | Refusal> {
  const profile = await persons.profile(id);
  if (profile === undefined) return UNKNOWN;
  return {
    id: profile.id,
    status: profile.status,
    ial: profile.ial,
    ...(profile.maskedName === undefined ? {} : { nameMasked: profile.maskedName }),
    idNumberMasked: profile.maskedNumber,
    documentType: profile.document.type,
  };
}

const PASSWORD_REFUSALS: Readonly<Record<PasswordRefusal, string>> = {
  ill_formed: 'The password is not well-formed text.',
  too_short: 'The password is too short.',
  too_long: 'The password is too long.',
  common: 'The password is one that attackers try first.',
  personal: 'The password holds a part of the ID number, birth date, phone number or name.',
  context: 'The password leans on the name of this service.',
};

async function passwordFor(
  number: IdNumber,
  details: PersonDetails,
  context: PersonCommandContext,
): Promise<PreparedPassword | Refusal> {
  const password = await firstLine(context.stdin);
  if (password === undefined) return refuse('Standard input is not UTF-8 text, or too long for a password.');
  const known = { ...details, idNumber: number, birthDate: factsOf(number).birthDate, words: context.contextWords };
  const judged = judgePassword(password, context.passwordLengths, known);
  if (!judged.ok) return refuse(PASSWORD_REFUSALS[judged.reason]);
  const prepared = await context.passwords.prepare(password);
  return prepared === 'busy' ? refuse('The server is busy; nothing was changed. Try again.') : prepared;
}

/** The first line of standard input, or undefined when there is more than any password needs, or it is not UTF-8. */
async function firstLine(stdin: AsyncIterable<Uint8Array | string>): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes > STDIN_BYTES_MAX) return undefined;
  }
  const typed = Buffer.concat(chunks);
  return isUtf8(typed) ? typed.toString('utf8').split(/\r?\n/, 1)[0] : undefined;
}
