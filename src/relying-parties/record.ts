import type { z } from 'zod';
import { crossFaults, type RecordFault } from './rules.ts';
import { type RecordMembers, type RelyingPartyRecord, relyingPartySchema } from './schema.ts';
import { smOnlyFaults, withSmDefaults } from './sm2-rules.ts';

export interface ParseOptions {
  /** The scopes this server knows. Left out, any well-formed scope passes. */
  readonly scopesSupported?: readonly string[];
  /** The scales of partners this server has. Left out, any well-formed name passes. */
  readonly scalesSupported?: readonly string[];
  /** Accept `client_secret`: for demonstrations, tests and measurements, where both sides are configured beforehand. */
  readonly allowChosenSecret?: boolean;
  /** Takes SM2 alone, also where a record says nothing. */
  readonly smOnly?: boolean;
}

export type ParseOutcome =
  | { readonly ok: true; readonly record: RelyingPartyRecord; readonly chosenSecret: string | undefined }
  | { readonly ok: false; readonly faults: readonly RecordFault[] };

const FAULTS_MAX = 50;
const CHOSEN_SECRET = /^[\x21-\x7e]{8,128}$/;
/**
 * Checks a submitted record and fills in the defaults. Reports every fault it can see at once, at most 50: a rule that
 * spans several members is applied where each of them is well formed by itself. Pure; throws nothing.
 */
export function parseRelyingParty(input: unknown, options: ParseOptions = {}): ParseOutcome {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return { ok: false, faults: [{ field: '(record)', reason: 'must be a JSON object' }] };
  }
  const submitted = new Map(Object.entries(options.smOnly === true ? withSmDefaults(input) : input));
  const faults: RecordFault[] = [];
  const chosenSecret = takeSecret(submitted, options, faults);
  const known = checkMembers(submitted, faults);
  if (known.response_types === undefined && known.grant_types !== undefined && !faulty(faults, 'response_types')) {
    known.response_types = known.grant_types.includes('authorization_code') ? ['code'] : [];
  }
  if (known.scope === undefined && known.response_types !== undefined && !faulty(faults, 'scope')) {
    known.scope = known.response_types.length > 0 ? 'openid' : '';
  }
  // A member that is faulty by itself looks absent to the rules: what they say of it would mislead.
  const ofSoundMembers = crossFaults(known, options).filter(({ field }) => !faulty(faults, field));
  faults.push(...ofSoundMembers);
  if (options.smOnly === true) faults.push(...smOnlyFaults(known).filter(({ field }) => !faulty(faults, field)));
  if (chosenSecret !== undefined && known.token_endpoint_auth_method?.startsWith('client_secret') === false) {
    faults.push({ field: 'client_secret', reason: 'must not be given with this token_endpoint_auth_method' });
  }
  if (faults.length > 0) return { ok: false, faults: faults.slice(0, FAULTS_MAX) };
  return { ok: true, record: known as RelyingPartyRecord, chosenSecret };
}

/** Parses each member by itself, so that one bad member does not hide the rules about the good ones. */
function checkMembers(submitted: ReadonlyMap<string, unknown>, faults: RecordFault[]): Partial<RecordMembers> {
  const known = new Map<string, unknown>();
  for (const name of submitted.keys()) {
    if (!Object.hasOwn(relyingPartySchema.shape, name)) {
      faults.push({ field: printable(name), reason: 'is not a field of a relying party' });
    }
  }
  for (const [name, schema] of Object.entries(relyingPartySchema.shape)) {
    const parsed = schema.safeParse(submitted.get(name));
    if (parsed.success) {
      if (parsed.data !== undefined) known.set(name, parsed.data);
      continue;
    }
    for (const issue of parsed.error.issues)
      faults.push({ field: pathOf([name, ...issue.path]), reason: reasonOf(issue, submitted.get(name)) });
  }
  return Object.fromEntries(known) as Partial<RecordMembers>;
}

function takeSecret(submitted: Map<string, unknown>, options: ParseOptions, faults: RecordFault[]): string | undefined {
  const secret = submitted.get('client_secret');
  submitted.delete('client_secret');
  if (secret === undefined) return undefined;
  if (options.allowChosenSecret !== true) {
    faults.push({ field: 'client_secret', reason: 'must be left out: the server makes the secret and shows it once' });
  } else if (typeof secret === 'string' && CHOSEN_SECRET.test(secret)) return secret;
  else faults.push({ field: 'client_secret', reason: 'must have 8 to 128 printable ASCII characters' });
  return undefined;
}

const memberOf = (field: string): string => field.split(/[[.]/, 1)[0] ?? '';

const faulty = (faults: readonly RecordFault[], field: string): boolean =>
  faults.some((fault) => memberOf(fault.field) === memberOf(field));

const pathOf = (path: readonly PropertyKey[]): string =>
  path
    .map((part, depth) =>
      typeof part === 'number' ? `[${part}]` : `${depth > 0 ? '.' : ''}${printable(String(part))}`,
    )
    .join('');

/** Our own sentence for what the schema library found: a clause that goes on from the field's name. */
function reasonOf(issue: z.core.$ZodIssue, submitted: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return submitted === undefined ? 'must be given' : `must be of the type ${issue.expected}`;
    case 'invalid_value':
      return `must be ${issue.values.map(String).join(' or ')}`;
    case 'too_small':
      return `must have, or be, at least ${issue.minimum}`;
    case 'too_big':
      return `must have, or be, at most ${issue.maximum}`;
    case 'unrecognized_keys':
      return `must not have the member ${printable(issue.keys[0] ?? '')}`;
    case 'invalid_format':
      return issue.format === 'email' ? 'must be an e-mail address' : issue.message;
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
      return 'must hold texts alone';
    default:
      return issue.message;
  }
}

/** A member name is foreign text on its way to a terminal or a log line. */
const printable = (name: string): string => name.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
