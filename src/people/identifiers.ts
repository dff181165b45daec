import { type BlindIndex, settleIndex } from '../crypto/blind-index.ts';
import type { Sealer } from '../crypto/sealing.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { Asked } from './held-documents.ts';
import { classify, type IdentifierType, indexedAs, type SignInIdentifier } from './identifiers/identifier.ts';
import { type FoundPerson, type PersonColumn, personContext } from './person.ts';
import { IDENTIFIER_ROW } from './person-rows.ts';
import type { Persons } from './persons.ts';

/**
 * Who is meant by what was typed. `account` names them, known or not, wherever attempts are counted: the person's id whichever of their
 * identifiers was typed, a keyed digest of its normal form where nobody has it (D6, V41).
 */
export interface Resolved {
  readonly person: FoundPerson | undefined;
  readonly account: string;
}

/** How the caller knows that it is theirs: `one_time_code`, `counter`; a user name is simply chosen. */
export interface BindingProof extends Asked {
  readonly verifiedBy: string;
}

/** `taken`: user names are never taken over. `left`: who had it until now. */
export type BindOutcome =
  | { readonly ok: true; readonly left?: string }
  | { readonly ok: false; readonly reason: 'taken' | 'unknown_person' };

export interface BoundIdentifier {
  readonly type: IdentifierType;
  readonly verifiedBy: string;
  readonly boundAt: number;
}

/**
 * What people sign in by beside their documents. Each stands for one person at any moment, and no two accounts are ever taken for one
 * person because of a phone or a mailbox: numbers are given to others.
 */
export interface Identifiers {
  /** One look-up, the same for who is here and who is not; undefined when the text can be nobody's. */
  resolve(typed: string): Promise<Resolved | undefined>;
  /**
   * Makes it this person's, instead of the one of its type they had. A phone or mailbox silently leaves whoever had it before, who is told;
   * the caller's proof is that it answers to this person now.
   */
  bind(personId: string, identifier: SignInIdentifier, proof: BindingProof): Promise<BindOutcome>;
  /** The same within the transaction of the proof. Afterwards the caller lets `persons.forget` both people. */
  bindIn(tx: Transaction, personId: string, identifier: SignInIdentifier, proof: BindingProof): Promise<BindOutcome>;
  release(personId: string, type: IdentifierType, asked: Asked): Promise<'released' | 'none'>;
  releaseIn(tx: Transaction, personId: string, type: IdentifierType, asked: Asked): Promise<'released' | 'none'>;
  list(personId: string): Promise<readonly BoundIdentifier[]>;
}

export interface IdentifierSources {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
  readonly persons: Pick<Persons, 'found' | 'forget'>;
  /** Tells somebody, in the transaction that took it from them, that a phone or mailbox is not theirs any more. */
  readonly tellLoss: (tx: Transaction, personId: string, type: 'phone' | 'email') => Promise<void>;
}

/** Keeps the row to ourselves until the transaction ends, if there is one: many may want one number at once. */
const LOCK = 'UPDATE sign_in_identifiers SET bound_at = bound_at WHERE type = $1 AND value_index = $2';
const HOLDER = 'SELECT person_id FROM sign_in_identifiers WHERE type = $1 AND value_index = $2';
const OWN = 'SELECT value_index, verified_by, bound_at FROM sign_in_identifiers WHERE type = $1 AND person_id = $2';
const LIST = 'SELECT type, verified_by, bound_at FROM sign_in_identifiers WHERE person_id = $1 ORDER BY type';
/** Changes of one person's identifiers stand in line here. Nothing is bound to an account that is no more. */
const TOUCH = "UPDATE persons SET updated_at = $1 WHERE id = $2 AND status NOT IN ('closed', 'merged')";
const INSERT = `${IDENTIFIER_ROW.insert(1)} ON CONFLICT DO NOTHING`;
const UNBIND = 'DELETE FROM sign_in_identifiers WHERE person_id = $1 AND type = $2';
const MOVE = `UPDATE sign_in_identifiers SET person_id = $1, verified_by = $2, bound_at = $3
  WHERE type = $4 AND value_index = $5`;

/** The column in which a value stands, sealed, and how it is written together with the moment it was verified at. */
const COLUMNS = {
  phone: 'phone_sealed',
  email: 'email_sealed',
  user_name: 'user_name_sealed',
} as const satisfies Record<IdentifierType, PersonColumn>;
const STORE_CONTACT = {
  phone: 'UPDATE persons SET updated_at = $1, phone_sealed = $2, phone_verified_at = $3 WHERE id = $4',
  email: 'UPDATE persons SET updated_at = $1, email_sealed = $2, email_verified_at = $3 WHERE id = $4',
} as const;
const STORE_USER_NAME = 'UPDATE persons SET updated_at = $1, user_name_sealed = $2 WHERE id = $3';

function store(tx: Transaction, personId: string, type: IdentifierType, sealed: Uint8Array | null): Promise<number> {
  const now = nowSeconds();
  if (type === 'user_name') return tx.run(STORE_USER_NAME, [now, sealed, personId]);
  return tx.run(STORE_CONTACT[type], [now, sealed, sealed === null ? null : now, personId]);
}

/** Whoever lost a race for a number nobody had finds it with the winner at the second look. */
const LOOKS_MAX = 5;

interface OwnRow {
  readonly value_index: string;
  readonly verified_by: string;
  readonly bound_at: number;
}

export function createIdentifiers(sources: IdentifierSources): Identifiers {
  const { database, sealer, index, ledger, persons, tellLoss } = sources;

  /** The value goes with the binding: a number that is not theirs any more must not be shown as theirs either. */
  const released = async (
    tx: Transaction,
    personId: string,
    identifier: IdentifierType,
    { origin, ...from }: Asked,
    cause: 'released' | 'taken_over',
  ): Promise<void> => {
    await store(tx, personId, identifier, null);
    const details = { origin, identifier, cause };
    await ledger.append(tx, { ...from, type: 'identifier.released', personId, details });
  };

  /** Whoever had it did nothing, and who takes it is nobody of theirs: the event holds neither address nor browser. */
  const takeFrom = async (tx: Transaction, holder: string, type: 'phone' | 'email', origin: string): Promise<void> => {
    await tx.run(TOUCH, [nowSeconds(), holder]);
    await released(tx, holder, type, { origin, actor: 'system' }, 'taken_over');
    await tellLoss(tx, holder, type);
  };

  /** Gives the row to this person. Resolves with who had it until now, with their own id where nobody had, or with `taken`. */
  const claim = async (
    tx: Transaction,
    personId: string,
    { type }: SignInIdentifier,
    valueIndex: string,
    { verifiedBy, origin }: BindingProof,
  ): Promise<{ readonly holder: string } | 'taken'> => {
    const now = nowSeconds();
    const own = await tx.get<OwnRow>(OWN, [type, personId]);
    for (let look = 1; look <= LOOKS_MAX; look += 1) {
      // Without the lock a row that has come meanwhile says nothing: it may be with the next one already. The INSERT finds it, and the next look has it locked.
      const isThere = (await tx.run(LOCK, [type, valueIndex])) > 0;
      const row = isThere ? await tx.get<{ person_id: string }>(HOLDER, [type, valueIndex]) : undefined;
      const holder = row?.person_id ?? personId;
      if (holder !== personId && type === 'user_name') {
        if (look > 1 && own) await tx.run(INSERT, [type, own.value_index, personId, own.verified_by, own.bound_at]);
        return 'taken';
      }
      await tx.run(UNBIND, [personId, type]);
      if (holder !== personId && type !== 'user_name') {
        await takeFrom(tx, holder, type, origin);
        await tx.run(MOVE, [personId, verifiedBy, now, type, valueIndex]);
        return { holder };
      }
      if ((await tx.run(INSERT, [type, valueIndex, personId, verifiedBy, now])) === 1) return { holder };
    }
    throw new Fault('internal', `an identifier of type ${type} changed hands at each of ${LOOKS_MAX} looks`);
  };

  const bindIn: Identifiers['bindIn'] = async (tx, personId, identifier, proof) => {
    const { type, value } = identifier;
    if ((await tx.run(TOUCH, [nowSeconds(), personId])) === 0) return { ok: false, reason: 'unknown_person' };
    const valueIndex = await settleIndex(tx, index, 'identifier', indexedAs(identifier));
    const claimed = await claim(tx, personId, identifier, valueIndex, proof);
    if (claimed === 'taken') return { ok: false, reason: 'taken' };
    await store(tx, personId, type, sealer.seal(value, personContext(COLUMNS[type], personId)));
    const { verifiedBy, origin, ...from } = proof;
    const details = { origin, identifier: type, verifiedBy };
    await ledger.append(tx, { ...from, type: 'identifier.bound', personId, details });
    return { ok: true, ...(claimed.holder === personId ? {} : { left: claimed.holder }) };
  };

  const releaseIn: Identifiers['releaseIn'] = async (tx, personId, type, asked) => {
    await tx.run(TOUCH, [nowSeconds(), personId]);
    if ((await tx.run(UNBIND, [personId, type])) === 0) return 'none';
    await released(tx, personId, type, asked, 'released');
    return 'released';
  };

  return {
    async resolve(typed) {
      const meant = classify(typed);
      if (meant === undefined) return undefined;
      const isDocument = meant.kind === 'document';
      const identity = isDocument ? meant.document : indexedAs(meant.identifier);
      const { found } = persons;
      const person = await found.find(isDocument ? 'document' : 'identifier', identity);
      // One keyed digest either way (D9): over what was found, which a copy is judged by, or the name under which nobody's number is counted.
      if (person !== undefined && found.copies !== undefined) return { person, account: person.id };
      const nobody = index.name(identity);
      return { person, account: person?.id ?? nobody };
    },

    async bind(personId, identifier, proof) {
      let left: string | undefined;
      try {
        return await database.write(async (tx) => {
          const outcome = await bindIn(tx, personId, identifier, proof);
          left = outcome.ok ? outcome.left : undefined;
          return outcome;
        });
      } finally {
        persons.forget(personId);
        if (left !== undefined) persons.forget(left);
      }
    },
    bindIn,

    async release(personId, type, asked) {
      try {
        return await database.write((tx) => releaseIn(tx, personId, type, asked));
      } finally {
        persons.forget(personId);
      }
    },
    releaseIn,

    async list(personId) {
      const rows = await database.all<{ type: IdentifierType; verified_by: string; bound_at: number }>(LIST, [
        personId,
      ]);
      return rows.map(({ type, verified_by: verifiedBy, bound_at: boundAt }) => ({ type, verifiedBy, boundAt }));
    },
  };
}
