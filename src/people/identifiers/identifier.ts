import type { DocumentIdentity } from '../../crypto/blind-index.ts';
import type { IdentityDocument } from '../documents/document.ts';
import { recogniseDocument } from '../documents/parse.ts';
import { normalEmail, normalPhone } from './contact.ts';
import { parseUserName, readUserName, type UserNameRefusal } from './user-name.ts';

/** What people sign in by beside their documents. */
export const IDENTIFIER_TYPES = ['phone', 'email', 'user_name'] as const;
export type IdentifierType = (typeof IDENTIFIER_TYPES)[number];

declare const normalForm: unique symbol;

/** An identifier in normal form, as `parseIdentifier` made it: `value` is E.164, an address in lower case, or a folded name. */
export interface SignInIdentifier {
  readonly type: IdentifierType;
  readonly value: string & { readonly [normalForm]: true };
}

export type IdentifierRefusal = UserNameRefusal | 'malformed';

export type IdentifierOutcome =
  | { readonly ok: true; readonly identifier: SignInIdentifier }
  | { readonly ok: false; readonly reason: IdentifierRefusal };

const accepted = (type: IdentifierType, value: string): IdentifierOutcome => ({
  ok: true,
  identifier: { type, value: value as SignInIdentifier['value'] },
});

/** Reads what somebody wants to sign in by from now on. */
export function parseIdentifier(type: IdentifierType, typed: string): IdentifierOutcome {
  if (type === 'user_name') {
    const outcome = parseUserName(typed);
    return outcome.ok ? accepted(type, outcome.name) : outcome;
  }
  const value = type === 'phone' ? normalPhone(typed) : normalEmail(typed);
  return value === undefined ? { ok: false, reason: 'malformed' } : accepted(type, value);
}

/** What a text in the one field of the sign-in form means. */
export type TypedIdentifier =
  | { readonly kind: 'document'; readonly document: IdentityDocument }
  | { readonly kind: IdentifierType; readonly identifier: SignInIdentifier };

/**
 * What somebody typed, told from its form alone: a text is a mailbox, or a document, or a phone number, or a user name, in this order and
 * never two of them. Undefined when it can be nothing. Pure: it asks nobody, so it tells nothing.
 */
export function classify(typed: string): TypedIdentifier | undefined {
  if (/[@＠]/.test(typed)) return identified('email', normalEmail(typed));
  const document = recogniseDocument(typed);
  if (document !== undefined) return { kind: 'document', document };
  const phone = normalPhone(typed);
  if (phone !== undefined) return identified('phone', phone);
  const name = readUserName(typed);
  return name.ok ? identified('user_name', name.name) : undefined;
}

const identified = (type: IdentifierType, value: string | undefined): TypedIdentifier | undefined =>
  value === undefined ? undefined : { kind: type, identifier: { type, value: value as SignInIdentifier['value'] } };

/** What the blind index is made of; no document has such a type. */
export const indexedAs = ({ type, value }: SignInIdentifier): DocumentIdentity => ({ type, issuer: '', number: value });
