import { documentOfIdNumber, factsOf, type IdNumber, parseIdNumber, readIdNumber } from '../id-number.ts';
import {
  type DocumentFacts,
  type DocumentOutcome,
  type DocumentType,
  type IdentityDocument,
  ISSUED_IN_CHINA,
  type NumberOutcome,
  refused,
} from './document.ts';
import { readForeignResidentCard, readForeignResidentCard2017 } from './foreign-resident-card.ts';
import { readNetNumber } from './net-number.ts';
import { readChinesePassport, readForeignPassport } from './passports.ts';
import { readHmTravelPermit, readTaiwanTravelPermit } from './travel-permits.ts';
import { typedNumber } from './typed-text.ts';

interface DocumentFamily {
  /** The type as the public registers write it, in the style of GA/T 517; absent where it has none, or none we could read. */
  readonly code?: string;
  readonly read: (typed: string, issuer: string) => NumberOutcome;
  /** What a number that was read before says, where that can be told without reading it again. */
  readonly facts?: (number: string) => DocumentFacts;
}

const factsOfIdNumber = (number: string): DocumentFacts => {
  const { birthDate, sex } = factsOf(number as IdNumber);
  return { birthDate, sex };
};

const FAMILIES: Readonly<Record<DocumentType, DocumentFamily>> = {
  resident_id_card: { code: '111', read: (typed) => readIdNumber('resident_id_card', typed), facts: factsOfIdNumber },
  hmt_residence_permit: { read: (typed) => readIdNumber('hmt_residence_permit', typed), facts: factsOfIdNumber },
  foreign_resident_card: { code: '553', read: readForeignResidentCard },
  foreign_resident_card_2017: { code: '553', read: readForeignResidentCard2017 },
  hm_travel_permit: { code: '516', read: readHmTravelPermit },
  taiwan_travel_permit: { code: '511', read: readTaiwanTravelPermit },
  prc_passport: { code: '414', read: readChinesePassport },
  foreign_passport: { code: '414', read: readForeignPassport },
  net_number: { read: readNetNumber },
};

export const isDocumentType = (type: string): type is DocumentType => Object.hasOwn(FAMILIES, type);

export const documentCode = (type: DocumentType): string | undefined => FAMILIES[type].code;

/** `CHN` says the same of what is issued here; other countries are for passports. */
function issuerOf(type: DocumentType, typed: string): string | undefined {
  const issuer = typedNumber(typed);
  if (type === 'foreign_passport') return issuer;
  return issuer === 'CN' || issuer === 'CHN' ? ISSUED_IN_CHINA : undefined;
}

/**
 * Reads a document somebody names by type, issuer (`CN`, or ISO 3166 alpha-3 for a foreign passport) and number. Every way to write one
 * number gives one document; what is no number of that type is refused with the reason. Nothing is asked of any register.
 */
export function parseDocument(type: string, issuer: string, typed: string): DocumentOutcome {
  if (!isDocumentType(type)) return refused('unknown_type');
  const known = issuerOf(type, issuer);
  if (known === undefined) return refused('issuer');
  const outcome = FAMILIES[type].read(typed, known);
  if (!outcome.ok) return outcome;
  const { number, ...read } = outcome;
  const document: IdentityDocument = { type, issuer: known, number };
  return { ...read, document };
}

/** The country before the number: `CAN:AB123456`, `CAN/AB123456`. A blank is no divider, for blanks are dropped. */
const WITH_COUNTRY = /^([A-Z]{3})[:/](.+)$/;
/** What a number alone can be. No two of them accept one text, which a test holds them to. */
const BY_NUMBER_ALONE = [
  'foreign_resident_card',
  'foreign_resident_card_2017',
  'hm_travel_permit',
  'taiwan_travel_permit',
  'prc_passport',
  'net_number',
] as const satisfies readonly DocumentType[];

/** The document somebody means who types only a number; undefined when it is none that we know. Pure. */
export function recogniseDocument(typed: string): IdentityDocument | undefined {
  const abroad = WITH_COUNTRY.exec(typedNumber(typed));
  if (abroad) return documentIn(parseDocument('foreign_passport', abroad[1]!, abroad[2]!));
  const citizen = parseIdNumber(typed);
  if (citizen.ok) return documentOfIdNumber(citizen.number);
  for (const type of BY_NUMBER_ALONE) {
    const document = documentIn(parseDocument(type, ISSUED_IN_CHINA, typed));
    if (document !== undefined) return document;
  }
  return undefined;
}

const documentIn = (outcome: DocumentOutcome): IdentityDocument | undefined =>
  outcome.ok ? outcome.document : undefined;

/** What the number of a parsed document says about its holder. */
export function factsOfDocument({ type, issuer, number }: IdentityDocument): DocumentFacts {
  const { facts, read } = FAMILIES[type];
  if (facts !== undefined) return facts(number);
  const outcome = read(number, issuer);
  return outcome.ok ? outcome.facts : {};
}
