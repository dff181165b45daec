import type { LedgerEvent } from '../ledger/ledger.ts';

/** Where something was asked for, if by somebody with a browser. */
export type Visit = Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation'>;

/**
 * Who does something. A person with a session; staff in a person's name (`operator` beside `personId`: what the person may not, staff
 * cannot either); staff in their own right; or the server itself.
 */
export type By =
  | { readonly personId: string; readonly operator?: string; readonly visit?: Visit }
  | { readonly personId?: undefined; readonly operator: string }
  | 'house';

/** How the ledger names them. */
export function actorOf(by: By): Pick<LedgerEvent, 'actor' | keyof Visit> {
  if (by === 'house') return { actor: 'system' };
  if (by.personId === undefined || by.operator !== undefined) return { actor: `operator:${by.operator}` };
  return { ...by.visit, actor: by.personId };
}

/** How rows name them: the id of a person, or `operator:` and a name. */
export const nameOf = (by: By): string => {
  if (by === 'house') return 'system';
  return by.personId ?? `operator:${by.operator}`;
};
