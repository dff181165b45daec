import { isIPv4, isIPv6 } from 'node:net';
import type { Counters } from '../storage/counters.ts';

/** The settings of `limits` that concern sign-in. */
export interface AttemptLimits {
  readonly failuresPerAccount: number;
  readonly failureWindowSeconds: number;
  readonly failuresPerAddress: number;
  readonly addressWindowSeconds: number;
  readonly knownDeviceFailures: number;
}

/**
 * One attempt. `account` is the person's id whatever identifier was typed, or for an unknown one a keyed digest of its normal
 * form, so that both run into the same limits (D6, V41). `knownDeviceDigest` only if the device was recognised as the account's.
 */
export interface Attempt {
  readonly account: string;
  readonly address: string;
  readonly knownDeviceDigest?: string | undefined;
}

export type AttemptOutcome = 'allowed' | 'account_exhausted' | 'address_exhausted';

/**
 * Limits how often secrets are guessed at. An attempt is taken before the secret is checked and the count rises atomically:
 * a hundred parallel guesses get as many verdicts as the limit says (D7, V21). Shared by every page and endpoint that checks
 * a secret.
 */
export interface Attempts {
  take(attempt: Attempt): Promise<AttemptOutcome>;
  /** The secret was right: what this attempt was counted under starts anew. The address gets this one back: a service hall signs in hundreds of people behind one. */
  succeeded(attempt: Attempt): Promise<void>;
}

interface Allowance {
  readonly name: string;
  readonly max: number;
  readonly windowSeconds: number;
}

const DAY_SECONDS = 24 * 3600;

/**
 * The short window refills, the longer ones refill slower: whoever goes on failing waits ever longer, while at no time an
 * account is closed for good (D6, D8).
 */
const LONGER_WINDOWS = { allowances: 2, windows: 4, allowancesPerDay: 4 } as const;

export function createAttempts({
  counters,
  limits,
}: {
  readonly counters: Counters;
  readonly limits: AttemptLimits;
}): Attempts {
  const allowancesOf = (name: string, max: number): readonly Allowance[] => {
    const short = limits.failureWindowSeconds;
    return [
      { name: `${name}:1`, max, windowSeconds: short },
      { name: `${name}:2`, max: max * LONGER_WINDOWS.allowances, windowSeconds: short * LONGER_WINDOWS.windows },
      {
        name: `${name}:3`,
        max: max * LONGER_WINDOWS.allowancesPerDay,
        windowSeconds: Math.max(DAY_SECONDS, short * 8),
      },
    ];
  };

  /** A known device has an allowance of its own, which strangers cannot use up, and does not draw on the common one. */
  const accountAllowances = ({ account, knownDeviceDigest }: Attempt): readonly Allowance[] =>
    knownDeviceDigest === undefined || limits.knownDeviceFailures === 0
      ? allowancesOf(`attempts:account:${account}`, limits.failuresPerAccount)
      : allowancesOf(`attempts:device:${account}:${knownDeviceDigest}`, limits.knownDeviceFailures);

  const addressName = ({ address }: Attempt): string => `attempts:address:${addressGroup(address)}`;

  /** Stops at the first window that is full: refused attempts must not fill the longer ones. */
  const draw = async (allowances: readonly Allowance[]): Promise<boolean> => {
    for (const { name, max, windowSeconds } of allowances) {
      if ((await counters.take(name, windowSeconds)) > max) return false;
    }
    return true;
  };

  return {
    async take(attempt) {
      const address: Allowance = {
        name: addressName(attempt),
        max: limits.failuresPerAddress,
        windowSeconds: limits.addressWindowSeconds,
      };
      // The address first: one that floods must not use up the allowance of the people it aims at.
      if (!(await draw([address]))) return 'address_exhausted';
      return (await draw(accountAllowances(attempt))) ? 'allowed' : 'account_exhausted';
    },

    async succeeded(attempt) {
      for (const { name } of accountAllowances(attempt)) await counters.clear(name);
      await counters.giveBack(addressName(attempt));
    },
  };
}

/** What cannot be read shares one small allowance instead of none (V44). */
const UNREADABLE = 'unreadable';

/**
 * Who is limited together: one IPv4 address, or the /64 of an IPv6 address, which is what one household has (X6). An IPv4
 * address written in IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
 */
export function addressGroup(address: string): string {
  if (isIPv4(address)) return address;
  const bare = address.split('%', 1)[0]!;
  if (!isIPv6(bare)) return UNREADABLE;
  const groups = groupsOf(bare);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return [groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8, groups[7]! & 255].join('.');
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

const GROUPS = 8;

/** The eight 16-bit groups of a valid IPv6 address without zone. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = address.split('::', 2);
  const left = partsOf(head);
  if (tail === undefined) return left;
  const right = partsOf(tail);
  return [...left, ...new Array<number>(GROUPS - left.length - right.length).fill(0), ...right];
}

const partsOf = (text: string): number[] =>
  text === ''
    ? []
    : text.split(':').flatMap((part) => {
        if (!part.includes('.')) return [Number.parseInt(part, 16)];
        const [a, b, c, d] = part.split('.').map(Number) as [number, number, number, number];
        return [(a << 8) | b, (c << 8) | d];
      });
