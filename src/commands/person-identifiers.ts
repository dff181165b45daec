import { IDENTIFIER_TYPES, type IdentifierType, parseIdentifier } from '../people/identifiers/identifier.ts';
import { maskEmail, maskPhone, maskUserName } from '../people/masking.ts';
import type { PersonProfile } from '../people/person.ts';
import {
  type Action,
  identify,
  isWord,
  type Options,
  ORIGIN,
  type PersonCommandContext,
  type Refusal,
  refuse,
  type Shown,
  UNKNOWN,
} from './person-words.ts';

function typeIn({ type }: Options): IdentifierType | Refusal {
  const known = IDENTIFIER_TYPES.find((one) => one === type);
  return known ?? refuse(`--type is one of ${IDENTIFIER_TYPES.join(', ')}.`, 2);
}

const MASKED: Readonly<Record<IdentifierType, (profile: PersonProfile) => string>> = {
  phone: ({ phone }) => maskPhone(phone ?? ''),
  email: ({ email }) => maskEmail(email ?? ''),
  user_name: ({ userName }) => maskUserName(userName ?? ''),
};

async function listed(id: string, { persons, identifiers }: PersonCommandContext): Promise<readonly Shown[] | Refusal> {
  const profile = await persons.profile(id);
  if (profile === undefined) return UNKNOWN;
  const bound = await identifiers.list(id);
  return bound.map(({ type, verifiedBy }) => ({ type, valueMasked: MASKED[type](profile), verifiedBy }));
}

const list: Action = async (options, context) => {
  const id = await identify(options, context);
  return typeof id === 'string' ? listed(id, context) : id;
};

const bind: Action = async (options, context) => {
  const type = typeIn(options);
  if (typeof type !== 'string') return type;
  const { value, 'verified-by': verifiedBy } = options;
  if (value === undefined) return refuse('--value is missing.', 2);
  if (!isWord(verifiedBy)) return refuse('--verified-by says in one word how it was verified, such as counter.', 2);
  const parsed = parseIdentifier(type, value);
  if (!parsed.ok) return refuse(`--value is not acceptable (${parsed.reason}).`, 2);
  const id = await identify(options, context);
  if (typeof id !== 'string') return id;
  const outcome = await context.identifiers.bind(id, parsed.identifier, { origin: ORIGIN, verifiedBy });
  if (outcome.ok) return listed(id, context);
  return outcome.reason === 'taken' ? refuse('This user name is taken.') : UNKNOWN;
};

const release: Action = async (options, context) => {
  const type = typeIn(options);
  if (typeof type !== 'string') return type;
  const id = await identify(options, context);
  if (typeof id !== 'string') return id;
  const outcome = await context.identifiers.release(id, type, { origin: ORIGIN });
  return outcome === 'released' ? listed(id, context) : refuse('This person signs in by nothing of that type.');
};

export const IDENTIFIER_ACTIONS: readonly (readonly [string, Action])[] = [
  ['identifier list', list],
  ['identifier bind', bind],
  ['identifier release', release],
];
