import type { BlindIndex } from '../crypto/blind-index.ts';
import type { Counters } from '../storage/counters.ts';

/** The settings of `messages`. */
export interface MessageLimits {
  readonly perNumberHour: number;
  readonly perNumberDay: number;
  readonly perAccountDay: number;
  readonly perAddressDay: number;
  readonly perDay: number;
  readonly noticesPerNumberDay: number;
}

/** What somebody asks to have sent: to which number, for which account, from which network (as the sign-in limiter groups them). */
export interface Asked {
  readonly address: string;
  /** The person, or whatever stands for one who may not exist. */
  readonly account?: string | undefined;
  readonly network?: string | undefined;
}

export type QuotaOutcome = 'admitted' | 'number' | 'account' | 'network' | 'house';

/**
 * How many messages may be caused (D17): each costs money, and to the one who gets it a hundred codes are an attack. Taken before
 * anything is sent, each count atomically, the narrowest first, so that a flood at one number uses up nobody else's.
 */
export interface MessageQuota {
  admit(asked: Asked): Promise<QuotaOutcome>;
  admitNotice(address: string): Promise<boolean>;
}

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;

export function createMessageQuota({
  counters,
  index,
  limits,
}: {
  readonly counters: Counters;
  readonly index: BlindIndex;
  readonly limits: MessageLimits;
}): MessageQuota {
  const keyOf = (address: string): string => index.name({ type: 'contact', issuer: '', number: address });
  const within = async (name: string, seconds: number, max: number): Promise<boolean> =>
    (await counters.take(`messages:${name}`, seconds)) <= max;
  return {
    async admit({ address, account, network }) {
      const number = keyOf(address);
      if (!(await within(`hour:${number}`, HOUR_SECONDS, limits.perNumberHour))) return 'number';
      if (!(await within(`day:${number}`, DAY_SECONDS, limits.perNumberDay))) return 'number';
      if (account !== undefined && !(await within(`account:${account}`, DAY_SECONDS, limits.perAccountDay)))
        return 'account';
      if (network !== undefined && !(await within(`network:${network}`, DAY_SECONDS, limits.perAddressDay)))
        return 'network';
      return (await within('house', DAY_SECONDS, limits.perDay)) ? 'admitted' : 'house';
    },
    admitNotice: (address) => within(`notice:${keyOf(address)}`, DAY_SECONDS, limits.noticesPerNumberDay),
  };
}
