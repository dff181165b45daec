import { EVENTS } from '../ledger/events.ts';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';

/** What of an event is counted: its type, and of its details the few that come from closed lists. */
export type CountedEvent = Pick<LedgerEvent, 'type' | 'details'>;

/** Ledger events of this process, as counts. */
export interface EventCounts {
  count(event: CountedEvent): void;
  /** A ledger event could not be written. */
  fail(): void;
  read(): EventReading;
}

export interface EventReading {
  readonly byType: ReadonlyMap<string, number>;
  /** By `outcome` and `factor` with a blank between. */
  readonly signIns: ReadonlyMap<string, number>;
  readonly sessionEnds: ReadonlyMap<string, number>;
  readonly failures: number;
}

/** What the details of an event call a factor, and its name in metrics. `amr` values are those of RFC 8176. */
const FACTORS: ReadonlyMap<unknown, string> = new Map([
  ['password', 'password'],
  ['pwd', 'password'],
  ['totp', 'otp'],
  ['otp', 'otp'],
  ['sms', 'sms'],
  ['passkey', 'passkey'],
  ['hwk', 'passkey'],
  ['swk', 'passkey'],
  ['recovery-code', 'recovery-code'],
  ['kba', 'recovery-code'],
  ['certificate', 'certificate'],
  ['sc', 'certificate'],
]);
const CAUSES: ReadonlySet<string> = new Set([
  'signed_out',
  'expired',
  'person_disabled',
  'ended_by_person',
  'person_frozen',
  'ended_by_watch',
]);

const OTHER_CAUSE = 'other';

const SIGN_IN_OUTCOMES = new Map<string, string>([
  ['sign-in.succeeded', 'succeeded'],
  ['sign-in.refused', 'refused'],
  ['sign-in.cancelled', 'cancelled'],
]);

export function createEventCounts(): EventCounts {
  // A rate sees only what rises, not what appears: everything that may ever be counted begins at nought.
  const byType = noughts(Object.keys(EVENTS));
  const signIns = noughts(['succeeded password', 'refused password', 'cancelled none']);
  const sessionEnds = noughts([...CAUSES, OTHER_CAUSE]);
  let failures = 0;
  const raise = (counts: Map<string, number>, key: string, by = 1): void => {
    counts.set(key, (counts.get(key) ?? 0) + by);
  };
  return {
    count({ type, details }) {
      if (!Object.hasOwn(EVENTS, type)) return;
      raise(byType, type);
      const outcome = SIGN_IN_OUTCOMES.get(type);
      if (outcome !== undefined) raise(signIns, `${outcome} ${factorOf(details)}`, attemptsOf(details));
      if (type === 'session.ended') raise(sessionEnds, causeOf(details));
    },
    fail() {
      failures += 1;
    },
    read: () => ({ byType, signIns, sessionEnds, failures }),
  };
}

/**
 * The same ledger, with every event counted. An event is counted when it stands in its transaction: one that is undone later
 * stays counted, which for a metric is near enough.
 */
export function countedLedger(ledger: Ledger, counts: Pick<EventCounts, 'count' | 'fail'>): Ledger {
  const counted = async (event: CountedEvent, written: Promise<void>): Promise<void> => {
    try {
      await written;
    } catch (error) {
      counts.fail();
      throw error;
    }
    counts.count(event);
  };
  return {
    ...ledger,
    append: (tx, event) => counted(event, ledger.append(tx, event)),
    record: (event) => counted(event, ledger.record(event)),
  };
}

const noughts = (names: readonly string[]): Map<string, number> => new Map(names.map((name) => [name, 0]));

function factorOf(details: CountedEvent['details']): string {
  const said = details?.factor ?? details?.amr;
  const names = (typeof said === 'string' ? said.split(' ', 4) : Array.isArray(said) ? said.slice(0, 4) : []).map(
    (name) => FACTORS.get(name),
  );
  const known = new Set(names.filter((name) => name !== undefined));
  if (known.size > 1) return 'several';
  return [...known][0] ?? 'none';
}

/** In a flood one event stands for many attempts (L12). */
const attemptsOf = (details: CountedEvent['details']): number =>
  typeof details?.repeated === 'number' && details.repeated > 0 ? details.repeated : 1;

const causeOf = (details: CountedEvent['details']): string =>
  CAUSES.has(String(details?.cause)) ? String(details?.cause) : OTHER_CAUSE;
