import type { BlindIndex } from '../crypto/blind-index.ts';
import { nowMs } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { Database, SqlValue, Transaction } from '../storage/database.ts';
import { isRetryable, RunAgain } from '../storage/storage-errors.ts';
import { canonicalEntry, type EntryValue, type LedgerEntry } from './entry.ts';
import { EntryClock } from './entry-clock.ts';
import { EVENTS, type EventType } from './events.ts';
import type { Openings, PersonalValue } from './openings.ts';
import { addressKeyOf } from './reader.ts';

/** One thing that happened: who, what, where, with what outcome. Members that do not apply are left out. */
export interface LedgerEvent {
  readonly type: EventType;
  readonly outcome?: 'success' | 'failure';
  /** Who did it, where that is not the person or the portal: `anonymous`, `system`, `operator:<name>`. */
  readonly actor?: string;
  /** The person it concerns. */
  readonly personId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly sessionUid?: string | undefined;
  /** The address a person's browser or device called from: personal. */
  readonly address?: string | undefined;
  /** The address of a portal's own server: not personal. */
  readonly hostAddress?: string | undefined;
  readonly userAgent?: string | undefined;
  /** The request id under which the log has the same request. */
  readonly correlation?: string | undefined;
  /** Only members the catalogue names for this type. */
  readonly details?: Readonly<Record<string, EntryValue>>;
}

export interface Ledger {
  /** Writes the event in the transaction of the change it tells of. Throws `Fault('ledger_unwritable')` where it cannot be written. */
  append(tx: Transaction, event: LedgerEvent): Promise<void>;
  /** Writes an event that changes nothing else, by group commit. Resolves when it is durable. */
  record(event: LedgerEvent): Promise<void>;
}

export interface LedgerSources {
  readonly database: Database;
  readonly openings: Openings;
  readonly index: BlindIndex;
  /** The name of this node, as it stands in every entry. */
  readonly node: string;
  /** Who acts where an event does not say, for commands: `operator:<name>`. */
  readonly operator?: string;
}

const ANONYMOUS = 'anonymous';
const TEXT_LENGTH_MAX = 1024;
const LIST_LENGTH_MAX = 64;
const LIST_ITEM_LENGTH_MAX = 200;
const USER_AGENT_LENGTH_MAX = 255;
const DAY_CHARACTERS = 10;
/** What the field of a personal member of `data` begins with. */
const DATA = 'data.';
const ADDRESS_KEYS_MAX = 10_000;

/** What a count says beside the members of its type (flood.ts): how many more there were, and since when. */
const COUNT_DETAILS = { repeated: 'plain', since: 'plain' } as const;

type DetailKinds = ReadonlyMap<string, 'plain' | 'personal'>;

const KINDS: ReadonlyMap<EventType, DetailKinds> = new Map(
  Object.entries(EVENTS).map(([type, { details }]) => [
    type as EventType,
    new Map(Object.entries({ ...details, ...COUNT_DETAILS })),
  ]),
);

/** One writer at a time: the next number is known at once, and the order of numbers is the order of commits. */
const INSERT_NUMBERED = `INSERT INTO ledger_entries (seq, entry, address_key, key_id, openings)
  VALUES ((SELECT coalesce(max(seq) + 1, 0) FROM ledger_entries), $1, $2, $3, $4)`;
const INSERT_UNNUMBERED = 'INSERT INTO ledger_inbox (entry, address_key, key_id, openings) VALUES ($1, $2, $3, $4)';
/** The key is kept in memory, and another node may have destroyed it: then nothing is written, and the next attempt makes a new one. */
const INSERT_UNDER_KEY = `INSERT INTO ledger_inbox (entry, address_key, key_id, openings)
  SELECT $1, $2, $3, CAST($4 AS BYTEA) WHERE EXISTS (SELECT 1 FROM ledger_subject_keys WHERE id = $3)`;

const SECOND_MS = 1000;
const MS_DIGITS = 3;
let second = Number.NaN;
let secondText = '';

/** As `Date.toISOString`, of which all but the milliseconds is the same for every entry of a second. */
function timeText(ms: number): string {
  const thousandths = ms % SECOND_MS;
  if (ms - thousandths !== second) {
    second = ms - thousandths;
    secondText = new Date(second).toISOString().slice(0, -(MS_DIGITS + 1));
  }
  return `${secondText}${String(thousandths).padStart(MS_DIGITS, '0')}Z`;
}

/** A store that is gone has a fault of its own, and a lost race is run again. */
const unwritable = (error: unknown): unknown =>
  error instanceof Fault || isRetryable(error) ? error : new Fault('ledger_unwritable', undefined, { cause: error });

/**
 * The ledger's writing side on the relational store. Rows are only ever inserted here; the sequencer hashes and signs them
 * (L8, L9). What an event says is bounded: long texts are cut, so that an entry cannot outgrow its limit.
 */
export function createLedger({ database, openings, index, node, operator }: LedgerSources): Ledger {
  const insert = database.engine === 'sqlite' ? INSERT_NUMBERED : INSERT_UNNUMBERED;
  /** A household, an office or a service hall comes again and again: the keyed digest of its address is computed once. */
  const addressKeys = new Map<string, string>();
  const keyOfAddress = (address: string): string => {
    const known = addressKeys.get(address);
    if (known !== undefined) return known;
    if (addressKeys.size >= ADDRESS_KEYS_MAX) addressKeys.clear();
    const key = addressKeyOf(index, address);
    addressKeys.set(address, key);
    return key;
  };
  const clock = new EntryClock(database.engine);

  const append = async (tx: Transaction, event: LedgerEvent): Promise<void> => {
    const now = nowMs();
    if (event.type === 'clock.step') clock.told();
    else if (!clock.isInOrder(now)) {
      const stepMs = await clock.stepBefore(tx, now);
      if (stepMs !== undefined) await write(tx, { type: 'clock.step', actor: 'system', details: { stepMs } }, now);
    }
    await write(tx, event, now);
  };

  const write = async (tx: Transaction, event: LedgerEvent, now: number): Promise<void> => {
    const ts = timeText(now);
    const { plain: data, personal } = sortDetails(event);
    const subject = event.personId ?? `day:${ts.slice(0, DAY_CHARACTERS)}`;
    // What a stranger does, to whomever: a person nobody has costs the same as one who has just been here, or not for years.
    const evenly = event.actor === ANONYMOUS;
    const committing = personal.length === 0 ? undefined : openings.commit(tx, subject, personal, { evenly });
    const committed = committing instanceof Promise ? await committing : committing;
    if (event.type === 'person.added') await openings.prepare(tx, subject);
    const hidden = committed?.commitments;
    for (const { field } of personal) if (field.startsWith(DATA)) data[field.slice(DATA.length)] = hidden![field]!;
    const entry: LedgerEntry = {
      v: 1,
      ts,
      node,
      type: event.type,
      outcome: event.outcome ?? 'success',
      actor: event.actor ?? operator ?? actorOf(event),
      subject: event.personId ?? null,
      client: event.clientId?.toWellFormed() ?? null,
      ip: hidden?.ip ?? event.hostAddress ?? null,
      ua: hidden?.ua ?? null,
      corr: event.correlation ?? null,
      data,
    };
    const row: SqlValue[] = [
      canonicalEntry(entry),
      event.address === undefined ? null : keyOfAddress(event.address),
      committed?.keyId ?? null,
      committed?.openings ?? null,
    ];
    if (committed === undefined || database.engine === 'sqlite') return tx.post(insert, row, unwritable);
    const keyIsGone = (): unknown => {
      openings.forget(subject);
      return new RunAgain('the key of a subject was destroyed by another node');
    };
    tx.demand(INSERT_UNDER_KEY, row, keyIsGone, unwritable);
  };
  return { append, record: (event) => database.write((tx) => append(tx, event)) };
}

const OF_THE_HOUSE = /^(?:audit|clock|configuration|defence|feed|incident|key|logout|relying-party|server|watch)\./;
/** What the house does of itself, whomever it concerns. */
const ACTS_OF_THE_HOUSE: ReadonlySet<string> = new Set(Object.keys(EVENTS).filter((type) => OF_THE_HOUSE.test(type)));

function actorOf({ type, personId, clientId }: LedgerEvent): string {
  if (ACTS_OF_THE_HOUSE.has(type)) return 'system';
  return personId ?? (clientId === undefined ? 'system' : `client:${clientId.toWellFormed()}`);
}

/** Divides what an event says into what may stand in the open and what may not, by the catalogue. */
function sortDetails(event: LedgerEvent): { plain: Record<string, EntryValue>; personal: PersonalValue[] } {
  const plain: Record<string, EntryValue> = {};
  const personal: PersonalValue[] = [];
  if (event.address !== undefined) personal.push({ field: 'ip', value: event.address });
  if (event.userAgent) {
    personal.push({ field: 'ua', value: event.userAgent.slice(0, USER_AGENT_LENGTH_MAX).toWellFormed() });
  }
  if (event.sessionUid !== undefined) plain.session = event.sessionUid;
  const { details = {} } = event;
  const kinds = KINDS.get(event.type)!;
  for (const name of Object.keys(details)) {
    const value = details[name]!;
    const kind = kinds.get(name);
    if (kind === undefined) throw new TypeError(`${event.type} has no detail ${name}: name it in the catalogue`);
    if (kind === 'plain') plain[name] = bounded(value);
    else personal.push({ field: `${DATA}${name}`, value: String(bounded(value)) });
  }
  return { plain, personal };
}

function bounded(value: EntryValue): EntryValue {
  if (typeof value === 'string') return value.slice(0, TEXT_LENGTH_MAX).toWellFormed();
  if (!Array.isArray(value)) return value;
  return value.slice(0, LIST_LENGTH_MAX).map((item: string) => item.slice(0, LIST_ITEM_LENGTH_MAX).toWellFormed());
}
