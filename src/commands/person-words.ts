import { parseArgs } from 'node:util';
import type { CounterDesk } from '../account-centre/enrolment/counter-desk.ts';
import type { PasswordFactor } from '../factors/password.ts';
import type { PasswordLengths } from '../factors/password-policy.ts';
import type { IdentityDocument } from '../people/documents/document.ts';
import { parseDocument } from '../people/documents/parse.ts';
import { documentOfIdNumber, parseIdNumber } from '../people/id-number.ts';
import type { Identifiers } from '../people/identifiers.ts';
import type { Persons } from '../people/persons.ts';
import type { AssuranceLevel } from '../proofing/levels.ts';
import type { PartnerScales } from '../proofing/partner-scales.ts';
import { LIFE_USAGE } from './person-life.ts';
import { RECHECK_USAGE } from './person-recheck.ts';

/** What the command works with. `stdin` yields the password, `stdout` takes results, `stderr` one sentence on a refusal. */
export interface PersonCommandContext {
  readonly persons: Persons;
  readonly identifiers: Identifiers;
  readonly passwords: PasswordFactor;
  readonly passwordLengths: PasswordLengths;
  /** How partners write the level of a person. */
  readonly partnerScales: PartnerScales;
  readonly contextWords: readonly string[];
  /** For `enrol`: the desk, and the name under which this terminal is logged in. */
  readonly counter?: { readonly desk: CounterDesk; readonly operator: string };
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** 0: done. 1: refused, nothing was changed. 2: the command line is not understood. */
export type ExitCode = 0 | 1 | 2;

export const USAGE = `tongban person add (--id-number NUMBER | --document TYPE:ISSUER:NUMBER | --net-number NUMBER) [--name NAME] [--phone P] [--email E]
    [--address A] [--ial 0-4] [--password-stdin] [--json]
    NAME may be missing only beside a network number
tongban person show    PERSON [--json]
tongban person disable PERSON [--reason TEXT] [--json]
tongban person enable  PERSON [--reason TEXT] [--json]
tongban person unfreeze (ID | PERSON) --reason TEXT [--json]
    after the person has proven who they are; TEXT says how and where, and holds no personal data
tongban person enrol --assist (--id-number NUMBER | --document TYPE:ISSUER:NUMBER) --name NAME --phone P [--json]
    for a counter, with the card in hand: sends the person a code and prints the id of what waits for it
tongban person enrol --confirm ID --code-stdin [--json]
    with the code the person reads out; without it they confirm it themselves at /register/confirm
tongban person document list   PERSON [--json]
tongban person document add    (--id ID | --id-number NUMBER) (--document TYPE:ISSUER:NUMBER | --net-number NUMBER)
    [--level 0-4 --source WORD] [--valid-from YYYY-MM-DD] [--valid-to YYYY-MM-DD] [--json]
tongban person document remove PERSON --document-id ID [--json]
tongban person identifier list    PERSON [--json]
tongban person identifier bind    PERSON --type phone|email|user_name --value TEXT --verified-by WORD [--json]
    WORD says how it was verified, such as counter or call-back
tongban person identifier release PERSON --type phone|email|user_name [--json]
${RECHECK_USAGE}${LIFE_USAGE}
PERSON is --id ID, --id-number NUMBER, --document TYPE:ISSUER:NUMBER or --net-number NUMBER. TYPE is resident_id_card,
hmt_residence_permit, foreign_resident_card, foreign_resident_card_2017, hm_travel_permit, taiwan_travel_permit, prc_passport,
foreign_passport or net_number; ISSUER is CN, or the three letters of the country for a foreign passport.
`;

export const ORIGIN = 'command';

const OPTIONS = {
  id: { type: 'string' },
  'id-number': { type: 'string' },
  document: { type: 'string' },
  'net-number': { type: 'string' },
  'document-id': { type: 'string' },
  name: { type: 'string' },
  phone: { type: 'string' },
  email: { type: 'string' },
  address: { type: 'string' },
  ial: { type: 'string' },
  level: { type: 'string' },
  source: { type: 'string' },
  'valid-from': { type: 'string' },
  'valid-to': { type: 'string' },
  type: { type: 'string' },
  value: { type: 'string' },
  'verified-by': { type: 'string' },
  reason: { type: 'string' },
  assist: { type: 'boolean' },
  confirm: { type: 'string' },
  'code-stdin': { type: 'boolean' },
  'password-stdin': { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

export type Options = ReturnType<typeof parsed>['values'];
export const parsed = (args: readonly string[]) =>
  parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });

/** A refusal in one sentence. Returned, not thrown: it is an ordinary answer. */
export interface Refusal {
  readonly refusal: string;
  readonly exitCode: ExitCode;
}
export const refuse = (refusal: string, exitCode: ExitCode = 1): Refusal => ({ refusal, exitCode });
export const isRefusal = (outcome: object): outcome is Refusal => 'refusal' in outcome;
export const UNKNOWN = refuse('There is no such person.');

export type Shown = Readonly<Record<string, string | number | boolean>>;
export type Action = (options: Options, context: PersonCommandContext) => Promise<Shown | readonly Shown[] | Refusal>;

/** A level from 0 to 4, or undefined for what is none. */
export const levelIn = (text: string): AssuranceLevel | undefined =>
  /^[0-4]$/.test(text) ? (Number(text) as AssuranceLevel) : undefined;

/** A word that names a source or a way to verify: it stands in the ledger for everybody to read, so it cannot hold a person's data. */
export const isWord = (text: string | undefined): text is string =>
  text !== undefined && /^[A-Za-z][A-Za-z_-]{0,39}$/.test(text);

/** The options that name a document. */
const NAMES = ['id-number', 'document', 'net-number'] as const;
type Names = readonly (typeof NAMES)[number][];

const OLD_NUMBER = refuse('A number of 15 digits only finds its owner: give the 18 characters of the card in use.', 2);

/**
 * The one document the options name, `toHold` when somebody is to hold it from now on; undefined when they name none. The number itself never stands in a message: terminals are
 * recorded (F6).
 */
export function documentIn(
  options: Options,
  { names = NAMES, toHold = false }: { readonly names?: Names; readonly toHold?: boolean } = {},
): IdentityDocument | Refusal | undefined {
  const given = names.filter((name) => options[name] !== undefined);
  const [name] = given;
  if (name === undefined) return undefined;
  if (given.length > 1) return refuse(`Of ${names.map((one) => `--${one}`).join(', ')} give one.`, 2);
  const text = options[name]!;
  if (name === 'id-number') {
    const outcome = parseIdNumber(text);
    if (!outcome.ok) return refuse(`--id-number is not a valid ID number (${outcome.reason}).`, 2);
    return outcome.upgraded && toHold ? OLD_NUMBER : documentOfIdNumber(outcome.number);
  }
  const [type = '', issuer = '', ...number] = name === 'net-number' ? ['net_number', 'CN', text] : text.split(':');
  const outcome = parseDocument(type.trim(), issuer, number.join(':'));
  if (!outcome.ok) return refuse(`--${name} is not a valid document (${outcome.reason}).`, 2);
  return outcome.completed && toHold ? OLD_NUMBER : outcome.document;
}

/** The id of the person the options name, by any document of theirs unless told which options may name one. */
export async function identify(
  options: Options,
  { persons }: PersonCommandContext,
  names: Names = NAMES,
): Promise<string | Refusal> {
  const document = documentIn(options, { names });
  if (document !== undefined && isRefusal(document)) return document;
  if ((options.id === undefined) === (document === undefined)) {
    const others = names.length > 1 ? ', --document or --net-number' : '';
    return refuse(`Name the person by --id or by --id-number${others}.`, 2);
  }
  if (document === undefined) return options.id!;
  return (await persons.findByDocument(document))?.id ?? UNKNOWN;
}
