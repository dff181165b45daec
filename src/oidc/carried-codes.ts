import type { AdapterPayload } from 'oidc-provider';
import type { Sealer } from '../crypto/sealing.ts';
import { Fault } from '../shared/fault.ts';
import { currentUnit, type UnitOfWork } from './unit-of-work.ts';

/** A code that was read. `key` names it where its use is written down: the same however its text was spelled. */
export interface CarriedCode {
  readonly kept: AdapterPayload;
  readonly key: string;
}

/**
 * Codes (RFC 6749 4.1.2) that carry what they stand for, sealed, so that nothing is stored for one until it is spent: then a mark in SQL says so for as
 * long as it would have lived (artifact-store.ts). All else is asked of the rows it names when it is redeemed: session, grant, person.
 */
export interface CarriedCodes {
  /** Undefined for a code that says more than an ordinary one, or more than an address should hold: it is for the store to keep. */
  write(kept: AdapterPayload): string | undefined;
  /** Whether it is of this kind at all; says nothing of what it is worth. */
  isCarried(value: string): boolean;
  /** Undefined for whatever this house has not written. */
  read(value: string): CarriedCode | undefined;
}

const PREFIX = 'co_.';
const CONTEXT = 'authorization-code';
/** RFC 9110 4.1 asks everybody to take addresses of 8,000; proxies that are older took 2,048, and the portal's own part stands in it as well. */
const CHARACTERS_MAX = 1_200;
const TAG_BYTES = 32;
/** As ids of typed tokens begin: marks made together lie together in the b-tree. */
const TIME_CHARACTERS = 8;

/** In this order and without their names, which would be a third of it. To change it, take another prefix. */
const MEMBERS = [
  'iat',
  'exp',
  'accountId',
  'clientId',
  'codeChallenge',
  'grantId',
  'nonce',
  'redirectUri',
  'scope',
  'sessionUid',
  'sid',
  'acr',
  'amr',
  'authTime',
] as const;
/** What is the same for all of them. */
const COMMON = { kind: 'AuthorizationCode', codeChallengeMethod: 'S256', expiresWithSession: true } as const;
const KNOWN: ReadonlySet<string> = new Set([...MEMBERS, ...Object.keys(COMMON)]);

/** `sealer` tells nobody of what does not open: a stranger may send anything. */
export function createCarriedCodes(sealer: Sealer): CarriedCodes {
  const opened = (sealed: Uint8Array): string | undefined => {
    try {
      return sealer.unseal(sealed, CONTEXT);
    } catch (error) {
      if (error instanceof Fault && error.code === 'sealed_data_altered') return undefined;
      throw error;
    }
  };

  const opening = (value: string): CarriedCode | undefined => {
    if (value.length > CHARACTERS_MAX || !value.startsWith(PREFIX)) return undefined;
    const sealed = Buffer.from(value.slice(PREFIX.length), 'base64url');
    const text = opened(sealed);
    if (text === undefined) return undefined;
    const values = JSON.parse(text) as readonly unknown[];
    const kept: Record<string, unknown> = { ...COMMON };
    for (const [at, name] of MEMBERS.entries()) if (values[at] !== null) kept[name] = values[at];
    // By what was sealed and not by its text: base64 has more than one for the same bytes, and each would be a code of its own.
    const tag = Buffer.from(sealed.subarray(-TAG_BYTES)).toString('base64url');
    const time = (Number(kept.iat) * 1000).toString(36).padStart(TIME_CHARACTERS, '0');
    return { kept, key: time + tag };
  };
  /** The request that looks at a code spends it as well. */
  const lately = new WeakMap<UnitOfWork, { readonly value: string; readonly code: CarriedCode }>();

  return {
    write(kept) {
      if (!isOrdinary(kept)) return undefined;
      const sealed = sealer.seal(JSON.stringify(MEMBERS.map((name) => kept[name] ?? null)), CONTEXT);
      const value = PREFIX + Buffer.from(sealed).toString('base64url');
      return value.length > CHARACTERS_MAX ? undefined : value;
    },
    isCarried: (value) => value.startsWith(PREFIX),
    read(value) {
      const unit = currentUnit();
      const seen = unit && lately.get(unit);
      if (seen?.value === value) return seen.code;
      const code = opening(value);
      if (unit !== undefined && code !== undefined) lately.set(unit, { value, code });
      return code;
    },
  };
}

/** Says nothing but what `MEMBERS` name, and of what all have in common nothing else. */
const isOrdinary = (kept: AdapterPayload): boolean =>
  Object.entries(kept).every(([name, value]) => value === undefined || KNOWN.has(name)) &&
  Object.entries(COMMON).every(([name, value]) => kept[name] === value);
