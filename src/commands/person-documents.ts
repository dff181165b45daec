import { isDay } from '../people/documents/birth-date.ts';
import type { HeldDocument } from '../people/held-documents.ts';
import { maskDocument } from '../people/masking.ts';
import {
  type Action,
  documentIn,
  identify,
  isRefusal,
  isWord,
  levelIn,
  ORIGIN,
  type PersonCommandContext,
  refuse,
  type Shown,
  UNKNOWN,
} from './person-words.ts';

const ASKED = { origin: ORIGIN } as const;

const shown = (
  { id, document, proof, primary, validFrom, validTo }: HeldDocument,
  context: PersonCommandContext,
): Shown => ({
  id,
  type: document.type,
  issuer: document.issuer,
  numberMasked: maskDocument(document, context.persons.masking),
  primary,
  level: proof.level,
  ...(proof.source === undefined ? {} : { source: proof.source }),
  ...(validFrom === undefined ? {} : { validFrom }),
  ...(validTo === undefined ? {} : { validTo }),
});

const list: Action = async (options, context) => {
  const id = await identify(options, context);
  if (typeof id !== 'string') return id;
  const held = await context.persons.documents(id);
  // Nobody is without a document.
  return held.length === 0 ? UNKNOWN : held.map((one) => shown(one, context));
};

const add: Action = async (options, context) => {
  const document = documentIn(options, { names: ['document', 'net-number'], toHold: true });
  if (document === undefined) return refuse('--document or --net-number is missing.', 2);
  if (isRefusal(document)) return document;
  const level = levelIn(options.level ?? '1');
  if (level === undefined) return refuse('--level is a level from 0 to 4.', 2);
  const { source, 'valid-from': validFrom, 'valid-to': validTo } = options;
  if (source !== undefined && !isWord(source))
    return refuse('--source is one word for who vouched for the document.', 2);
  if (level > 1 && source === undefined)
    return refuse('A level above 1 needs --source: who vouched for the document.', 2);
  for (const day of [validFrom, validTo])
    if (day !== undefined && !isDay(day)) return refuse('--valid-from and --valid-to are days such as 2031-05-31.', 2);
  const id = await identify(options, context, ['id-number']);
  if (typeof id !== 'string') return id;
  const outcome = await context.persons.addDocument(
    id,
    { document, proof: { level, source }, validFrom, validTo },
    ASKED,
  );
  if (!outcome.ok) return REFUSALS[outcome.reason];
  const added = (await context.persons.documents(id)).find((held) => held.id === outcome.id);
  return added === undefined ? UNKNOWN : shown(added, context);
};

const REFUSALS = {
  exists: refuse('Somebody holds this document already.'),
  unknown_person: UNKNOWN,
  too_many: refuse('This person holds as many documents as anybody may.'),
} as const;

const remove: Action = async (options, context) => {
  const documentId = options['document-id'];
  if (documentId === undefined) return refuse('--document-id is missing: the id that document list shows.', 2);
  const id = await identify(options, context);
  if (typeof id !== 'string') return id;
  const outcome = await context.persons.removeDocument(id, documentId, ASKED);
  if (outcome === 'unknown') return refuse('This person holds no such document.');
  if (outcome === 'last') return refuse('This is the only document of the person; nothing was changed.');
  return (await context.persons.documents(id)).map((one) => shown(one, context));
};

export const DOCUMENT_ACTIONS: readonly (readonly [string, Action])[] = [
  ['document list', list],
  ['document add', add],
  ['document remove', remove],
];
