import type { House } from '../../src/app.ts';
import { isCommitment, parseEntry } from '../../src/ledger/entry.ts';
import type { EventType } from '../../src/ledger/events.ts';
import type { Page } from './http-client.ts';

/** The browser that scenarios of the ledger use, and how what it leaves is told: as what its commitment opens to. */
export const BROWSER = { accept: 'text/html', 'user-agent': 'Mozilla/5.0 (a browser of this test)' } as const;
export const HERE = { ip: 'sealed 127.0.0.1', ua: `sealed ${BROWSER['user-agent']}` } as const;
/** Of commands and of what the house does by itself. */
export const NOWHERE = { ip: null, ua: null, corr: null } as const;
export const GOOD = { outcome: 'success' } as const;
export const BAD = { outcome: 'failure' } as const;

/** Whose ledger is read: a test server, or any open house. */
export interface Housed {
  readonly house: Pick<House, 'database' | 'ledgerReader'>;
}

/** By what an event is found. */
interface Wanted {
  readonly corr?: string;
  readonly subject?: string;
  readonly client?: string;
}

/** All events of a type that fit, but for time and node, with what is sealed opened. */
export async function allTold(
  { house }: Housed,
  type: EventType,
  wanted: Wanted = {},
): Promise<readonly Record<string, unknown>[]> {
  const rows = await house.database.all<{
    seq: number;
    entry: string;
    key_id: string | null;
    openings: Uint8Array | null;
  }>('SELECT seq, entry, key_id, openings FROM ledger_entries ORDER BY seq', []);
  const told: Record<string, unknown>[] = [];
  for (const { seq, entry: text, key_id: keyId, openings } of rows) {
    const entry = parseEntry(text);
    if (entry?.type !== type || Object.entries(wanted).some(([name, value]) => entry[name as keyof Wanted] !== value))
      continue;
    const opened = await house.ledgerReader.open({ seq, entry: text, keyId, openings });
    const shown = (field: string, value: unknown): unknown =>
      typeof value === 'string' && isCommitment(value) ? `sealed ${opened[field]}` : value;
    const { v: _v, ts: _ts, node: _node, type: _type, data, ip, ua, ...who } = entry;
    const details = Object.entries(data).map(([name, value]) => [name, shown(`data.${name}`, value)]);
    told.push({ ...who, ip: shown('ip', ip), ua: shown('ua', ua), data: Object.fromEntries(details) });
  }
  return told;
}

const idOf = (answer: Page | { readonly headers: Headers }): string =>
  String(answer.headers instanceof Headers ? answer.headers.get('x-request-id') : answer.headers['x-request-id']);

/** The one event of this type that a request has caused. */
export async function toldBy(
  answer: Page | { readonly headers: Headers },
  type: EventType,
  at: Housed,
): Promise<Record<string, unknown>> {
  const { corr, ...told } = await oneTold(type, { corr: idOf(answer) }, at);
  return corr === idOf(answer) ? told : {};
}

/** The one event of this type that fits; throws when there are none or several. */
export async function oneTold(type: EventType, wanted: Wanted, at: Housed): Promise<Record<string, unknown>> {
  const told = await allTold(at, type, wanted);
  if (told.length !== 1) throw new Error(`${told.length} events ${type} of ${JSON.stringify(wanted)}`);
  return told[0]!;
}
