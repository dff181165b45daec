import { placesOf } from '../defence/places.ts';
import type { Allowance, Counters, Settled } from '../storage/counters.ts';
import type { Transaction } from '../storage/database.ts';

/** The settings of `limits` that concern secrets. */
export interface AttemptLimits {
  readonly failuresPerAccount: number;
  readonly failureWindowSeconds: number;
  readonly failuresPerAddress: number;
  readonly failuresPerNetwork: number;
  readonly addressWindowSeconds: number;
  readonly knownDeviceFailures: number;
}

/**
 * What is guessed at. `secret`: what is known or written down, a password or a recovery code, on every page that asks for one.
 * `second_factor`: what is asked for once the password was right; a right password must not start this count anew. `sent_code`: a code sent to
 * the person, which stays open when strangers have used up the guesses at the password, so that there is a second way in (D8).
 */
export type AttemptKind = 'secret' | 'second_factor' | 'sent_code';

/**
 * One attempt. `account` is the person's id whatever identifier was typed, or for an unknown one a keyed digest of its normal
 * form, so that both run into the same limits (D6, V41). `knownDeviceDigest` only if the device was recognised as the account's.
 */
export interface Attempt {
  readonly account: string;
  readonly address: string;
  readonly knownDeviceDigest?: string | undefined;
  /** `secret` when left out. */
  readonly kind?: AttemptKind | undefined;
}

/** `address_exhausted`: the address, or the network it is in. */
export type AttemptOutcome = 'allowed' | 'account_exhausted' | 'address_exhausted';

/**
 * Limits how often secrets are guessed at. An attempt is taken before the secret is checked and the count rises atomically:
 * a hundred parallel guesses get as many verdicts as the limit says (D7, V21). Shared by every page and endpoint that checks
 * a secret of a person (V31).
 */
export interface Attempts {
  take(attempt: Attempt): Promise<AttemptOutcome>;
  /** The secret was right: what this attempt was counted under starts anew. Address and network get this one back: a service hall signs in hundreds of people behind one. */
  succeeded(attempt: Attempt): Promise<void>;
  /** The same, once it is sure that the right secret counts. */
  succeeding(attempt: Attempt): Settling;
}

/** What a right secret settles, in one of two ways: stores that can do so write it with what the secret brings about, others before. */
export interface Settling {
  /** To be awaited before that transaction begins, when nothing stands in the way any more. */
  before(): Promise<void>;
  /** Within it. */
  write(tx: Transaction): Promise<void>;
}

const DAY_SECONDS = 24 * 3600;

/**
 * The short window refills, the longer ones refill slower: whoever goes on failing waits ever longer, while at no time an
 * account is closed for good (D6, D8).
 */
const LONGER_WINDOWS = { allowances: 2, windows: 4, allowancesPerDay: 4 } as const;

/** Each code is void by itself after few tries; a person may ask for another. */
const CODES = 4;

const PREFIX: Readonly<Record<AttemptKind, string>> = {
  secret: 'attempts',
  second_factor: 'attempts:second',
  sent_code: 'attempts:code',
};

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

  const isOwnDevice = ({ knownDeviceDigest }: Attempt): boolean =>
    knownDeviceDigest !== undefined && limits.knownDeviceFailures > 0;

  /** A known device has an allowance of its own, which strangers cannot use up, and does not draw on the common one. */
  const accountAllowances = (attempt: Attempt): readonly Allowance[] => {
    const { account, knownDeviceDigest, kind = 'secret' } = attempt;
    return isOwnDevice(attempt)
      ? allowancesOf(`${PREFIX[kind]}:device:${account}:${knownDeviceDigest}`, limits.knownDeviceFailures)
      : allowancesOf(
          `${PREFIX[kind]}:account:${account}`,
          limits.failuresPerAccount * (kind === 'sent_code' ? CODES : 1),
        );
  };

  /** Neither do strangers behind its address or in its network: what it may try is little enough by itself (D8). */
  const placeAllowances = (attempt: Attempt): readonly Allowance[] =>
    isOwnDevice(attempt) ? [] : placesOf(attempt.address, limits);

  const settledBy = (attempt: Attempt): Settled => ({
    cleared: accountAllowances(attempt).map(({ name }) => name),
    returned: placeAllowances(attempt).map(({ name }) => name),
  });

  return {
    async take(attempt) {
      const places = placeAllowances(attempt);
      // The place first: one that floods must not use up the allowance of the people it aims at.
      const full = await counters.takeWithin([...places, ...accountAllowances(attempt)]);
      if (full < 0) return 'allowed';
      return full < places.length ? 'address_exhausted' : 'account_exhausted';
    },

    succeeded: (attempt) => counters.settle(settledBy(attempt)),

    succeeding(attempt) {
      const settled = settledBy(attempt);
      return counters.settlesInside
        ? { before: async () => {}, write: (tx) => counters.settle(settled, tx) }
        : { before: () => counters.settle(settled), write: async () => {} };
    },
  };
}
