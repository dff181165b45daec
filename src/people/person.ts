import type { Sealer } from '../crypto/sealing.ts';
import type { AssuranceLevel } from '../proofing/levels.ts';
import type { DocumentFacts, IdentityDocument, Sex } from './documents/document.ts';
import { factsOfDocument } from './documents/parse.ts';
import type { IdNumber } from './id-number.ts';
import { type MaskedName, type MaskedNumber, type MaskingLevel, maskDocument, maskName } from './masking.ts';
import type { PersonStatus } from './person-status.ts';

/** A natural person as they are found at sign-in. */
export interface FoundPerson {
  readonly id: string;
  readonly status: PersonStatus;
  readonly ial: AssuranceLevel;
  /** Of a child: when they turn 14, and may act without a guardian. Known where a person is looked up, not where they are opened. */
  readonly fourteenAt?: number;
}

/** A natural person as every request needs them: nothing is unsealed for it. `updatedAt` is epoch seconds. */
export interface Person extends FoundPerson {
  readonly updatedAt: number;
}

/**
 * A natural person with everything we know; each sealed column is opened when it is read. Never logged, never kept.
 * Whoever came with a network number alone has no name, no birth date and no plaintext document: every caller must cope.
 */
export interface PersonProfile extends Person {
  readonly name: string | undefined;
  /** The document that stands for the person; one that says who they are wherever they hold one. */
  readonly document: IdentityDocument;
  /** The citizen ID number, or that of a residence permit, where `document` is one of these. */
  readonly idNumber: IdNumber | undefined;
  readonly phone: string | undefined;
  readonly phoneVerified: boolean;
  readonly email: string | undefined;
  readonly emailVerified: boolean;
  readonly userName: string | undefined;
  readonly address: string | undefined;
  /** From the number of `document`; undefined where it does not say. */
  readonly birthDate: string | undefined;
  readonly sex: Sex | undefined;
  /** What pages and portals that need only recognise the person are given; the number as far hidden as the house is set to. */
  readonly maskedName: MaskedName | undefined;
  readonly maskedNumber: MaskedNumber;
}

export interface FoundRow {
  readonly id: string;
  readonly status: PersonStatus;
  readonly ial: number;
  readonly fourteen_at?: number | null;
}

export interface PersonRow extends FoundRow {
  readonly updated_at: number;
}

/** What is asked of `persons p` for it. */
export const FOUND_COLUMNS = 'p.id, p.status, p.ial, p.fourteen_at';

export const foundPersonOf = ({ id, status, ial, fourteen_at: fourteenAt }: FoundRow): FoundPerson => ({
  id,
  status,
  ial: ial as AssuranceLevel,
  ...(fourteenAt == null ? {} : { fourteenAt: Number(fourteenAt) }),
});

export const personOf = (row: PersonRow): Person => ({ ...foundPersonOf(row), updatedAt: row.updated_at });

/** The sealed columns of `persons`. */
export type PersonColumn = 'name_sealed' | 'phone_sealed' | 'email_sealed' | 'address_sealed' | 'user_name_sealed';

/** The place a personal column is sealed for (crypto/sealing.ts). */
export const personContext = (column: PersonColumn, personId: string): string => `persons:${column}:${personId}`;
export const numberContext = (documentId: string): string => `identity_documents:number_sealed:${documentId}`;

export interface ProfileRow extends PersonRow, Readonly<Record<PersonColumn, Uint8Array | null>> {
  readonly phone_verified_at: number | null;
  readonly email_verified_at: number | null;
  readonly document_id: string;
  readonly type: string;
  readonly issuer: string;
  readonly number_sealed: Uint8Array;
}

/** One look-up: a person and the document that stands for them. */
export const SELECT_PROFILE = `SELECT p.id, p.status, p.ial, p.updated_at, p.name_sealed, p.phone_sealed, p.email_sealed,
  p.address_sealed, p.user_name_sealed, p.phone_verified_at, p.email_verified_at, d.id AS document_id, d.type, d.issuer,
  d.number_sealed FROM persons p
  JOIN identity_documents d ON d.person_id = p.id AND d.is_primary = 1 WHERE p.id = $1`;

/** Opens each sealed column when it is first asked for: most requests need none, and few need all. */
export class OpenedProfile implements PersonProfile {
  readonly id: string;
  readonly status: PersonStatus;
  readonly ial: AssuranceLevel;
  readonly updatedAt: number;
  readonly phoneVerified: boolean;
  readonly emailVerified: boolean;
  readonly #sealer: Sealer;
  readonly #row: ProfileRow;
  readonly #masking: MaskingLevel;
  #document: IdentityDocument | undefined;
  #read: DocumentFacts | undefined;
  #name: string | undefined;

  constructor(sealer: Sealer, row: ProfileRow, masking: MaskingLevel) {
    const person = personOf(row);
    this.id = person.id;
    this.status = person.status;
    this.ial = person.ial;
    this.updatedAt = person.updatedAt;
    this.phoneVerified = row.phone_verified_at !== null;
    this.emailVerified = row.email_verified_at !== null;
    this.#sealer = sealer;
    this.#row = row;
    this.#masking = masking;
  }

  get document(): IdentityDocument {
    const { type, issuer, number_sealed: sealed, document_id: documentId } = this.#row;
    this.#document ??= {
      type,
      issuer,
      number: this.#sealer.unsealKept(sealed, numberContext(documentId)),
    } as IdentityDocument;
    return this.#document;
  }

  get idNumber(): IdNumber | undefined {
    const { type } = this.#row;
    const isIdNumber = type === 'resident_id_card' || type === 'hmt_residence_permit';
    return isIdNumber ? (this.document.number as IdNumber) : undefined;
  }

  get name(): string | undefined {
    this.#name ??= this.#opened('name_sealed');
    return this.#name;
  }

  get phone(): string | undefined {
    return this.#opened('phone_sealed');
  }

  get email(): string | undefined {
    return this.#opened('email_sealed');
  }

  get userName(): string | undefined {
    return this.#opened('user_name_sealed');
  }

  get address(): string | undefined {
    return this.#opened('address_sealed');
  }

  get birthDate(): string | undefined {
    return this.#facts.birthDate;
  }

  get sex(): Sex | undefined {
    return this.#facts.sex;
  }

  get maskedName(): MaskedName | undefined {
    return this.name === undefined ? undefined : maskName(this.name);
  }

  get maskedNumber(): MaskedNumber {
    return maskDocument(this.document, this.#masking);
  }

  get #facts(): DocumentFacts {
    this.#read ??= factsOfDocument(this.document);
    return this.#read;
  }

  #opened(column: PersonColumn): string | undefined {
    const sealed = this.#row[column];
    return sealed === null ? undefined : this.#sealer.unsealKept(sealed, personContext(column, this.id));
  }
}
