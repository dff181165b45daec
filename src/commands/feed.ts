import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Outbound } from '../delivery/outbound.ts';
import type { LedgerEntry } from '../ledger/entry.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { LedgerReader } from '../ledger/reader.ts';
import { TEST_TYPE } from '../monitoring/feeds/bodies/feed-event.ts';
import { countDeadLetters } from '../monitoring/feeds/dead-letters.ts';
import { FeedFailure, SEND_MS } from '../monitoring/feeds/feed.ts';
import { BEGINNING, ensureFeedCursor, findFeedCursor, replaceFeedCursor } from '../monitoring/feeds/feed-cursor.ts';
import type { FeedSetting } from '../monitoring/feeds/feed-setting.ts';
import { createFeed, productVersion } from '../monitoring/feeds/feeds.ts';
import { messageOf } from '../monitoring/feeds/messages.ts';
import { resendDeadLetters } from '../monitoring/feeds/resend.ts';
import { nowMs } from '../shared/clock.ts';
import type { Database } from '../storage/database.ts';

/** What the command works on. Nothing of it is closed here. */
export interface FeedCommandContext {
  readonly feeds: readonly FeedSetting[];
  readonly reader: LedgerReader;
  readonly ledger: Ledger;
  readonly database: Database;
  readonly outbound: Outbound;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** 0 done, 1 refused or failed (a sentence on stderr), 2 not understood (the usage on stderr). */
export type ExitCode = 0 | 1 | 2;

export const USAGE = `Usage:
  tongban feed list [--json]                     list the feeds: state, position, lag, dead letters
  tongban feed test NAME                         send one test message and say what happened
  tongban feed replay NAME [--from SEQ] [--yes]  send everything again, from the beginning or a number
  tongban feed replay NAME --dead                send again what the receiver refused
`;

const ANSWER_CHARACTERS_MAX = 100;
/** A connection that is accepted and dropped at once shows itself within this time. */
const SETTLE_MS = 500;
const CURSOR_TRIES_MAX = 5;
const OPTIONS = {
  json: { type: 'boolean', default: false },
  from: { type: 'string' },
  yes: { type: 'boolean', default: false },
  dead: { type: 'boolean', default: false },
} as const;

/** `tongban feed ...`: the feeds from the command line, beside a server that may be running. Resolves with the exit code. */
export async function run(args: readonly string[], context: FeedCommandContext): Promise<ExitCode> {
  const understood = understand(args);
  if (understood === undefined) {
    context.stderr.write(USAGE);
    return 2;
  }
  const { action, name, options } = understood;
  if (action === 'list') return list(options.json, context);
  const feed = context.feeds.find((setting) => setting.name === name);
  if (feed === undefined) return refuse(context, `No feed has the name ${printable(name)}.`);
  if (action === 'test') return test(feed, context);
  return options.dead ? resend(feed, context) : replay(feed, options.from, options.yes, context);
}

function understand(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    const [action = '', name = ''] = positionals;
    const used = Object.entries(values).flatMap(([option, value]) => (value === false ? [] : [option]));
    const allowed = { list: ['json'], test: [], replay: ['from', 'yes', 'dead'] };
    if (!Object.hasOwn(allowed, action)) return undefined;
    const words = action === 'list' ? 1 : 2;
    const known: readonly string[] = allowed[action as keyof typeof allowed];
    if (positionals.length !== words || used.some((option) => !known.includes(option))) return undefined;
    if (values.dead && values.from !== undefined) return undefined;
    if (values.from !== undefined && !/^\d{1,15}$/.test(values.from)) return undefined;
    return { action, name, options: values };
  } catch {
    return undefined;
  }
}

async function list(json: boolean, context: FeedCommandContext): Promise<ExitCode> {
  const { feeds, database, reader, stdout } = context;
  const signedSize = await reader.signedSize();
  const rows = await Promise.all(
    feeds.map(async ({ name, kind }) => {
      const cursor = await findFeedCursor(database, name);
      const { outage, leaseUntilMs, holder, lastDeliveredSeq } = cursor?.state ?? BEGINNING;
      const works = holder !== null && leaseUntilMs > nowMs();
      const state = outage !== null ? 'failing' : works ? 'delivering' : cursor === undefined ? 'new' : 'stopped';
      const nextSeq = cursor?.nextSeq ?? 0;
      return {
        name,
        kind,
        state,
        next_seq: nextSeq,
        last_delivered_seq: lastDeliveredSeq,
        lag_events: Math.max(0, signedSize - nextSeq),
        dead_letters: await countDeadLetters(database, name),
        failing_since: outage === null ? null : new Date(outage.sinceMs).toISOString(),
        error: outage?.error ?? null,
      };
    }),
  );
  if (json) {
    stdout.write(`${JSON.stringify(rows)}\n`);
    return 0;
  }
  for (const row of rows) {
    const error = row.error === null ? '' : `  ${row.error} since ${row.failing_since}`;
    const counts = `next ${row.next_seq}  waiting ${row.lag_events}  dead ${row.dead_letters}`;
    stdout.write(`${row.name}  ${row.kind}  ${row.state}  ${counts}${error}\n`);
  }
  if (rows.length === 0) stdout.write('No feed is configured.\n');
  return 0;
}

const testEntry = (): LedgerEntry => ({
  v: 1,
  ts: new Date(nowMs()).toISOString(),
  node: 'command-line',
  type: TEST_TYPE,
  outcome: 'success',
  actor: 'system',
  subject: null,
  client: null,
  ip: null,
  ua: null,
  corr: null,
  data: {},
});

const DELIVERED: Readonly<Record<FeedSetting['kind'], string>> = {
  syslog: 'The test message was written and the connection stayed open. Syslog confirms nothing: look for it there.',
  webhook: 'The receiver confirmed the test message.',
  file: 'The test message was written and lies on the disk.',
};

async function test(setting: FeedSetting, context: FeedCommandContext): Promise<ExitCode> {
  const feed = createFeed(setting, context.outbound);
  const event = { seq: null, previous: null, entry: testEntry(), opened: {} };
  try {
    await feed.send([messageOf(setting, productVersion(), event)], AbortSignal.timeout(SEND_MS));
    if (feed.doubt() !== undefined) await pause(SETTLE_MS);
    if (feed.doubt()?.interrupted)
      return refuse(context, `${setting.name}: the receiver dropped the connection at once.`);
    context.stdout.write(`${setting.name}: ${DELIVERED[setting.kind]}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof FeedFailure)) throw error;
    const word = error.kind === 'refused' ? 'was refused' : 'could not be delivered';
    return refuse(context, `${setting.name}: the test message ${word}: ${error.message}.`);
  } finally {
    await feed.close();
  }
}

async function replay(
  { name }: FeedSetting,
  from: string | undefined,
  confirmed: boolean,
  context: FeedCommandContext,
): Promise<ExitCode> {
  const nextSeq = Number(from ?? 0);
  const signedSize = await context.reader.signedSize();
  if (nextSeq > signedSize)
    return refuse(context, `The ledger has no entry ${nextSeq} yet: it ends before ${signedSize}.`);
  if (!confirmed) {
    context.stdout.write(`${name} will send the entries ${nextSeq} to ${signedSize} again. Type yes to go on: `);
    if ((await answer(context)) !== 'yes') return refuse(context, 'Nothing was changed.');
  }
  // A running server saves the cursor as well; whoever comes second looks again.
  for (let tries = 0; tries < CURSOR_TRIES_MAX; tries += 1) {
    const cursor = await ensureFeedCursor(context.database, name);
    const state = { ...cursor.state, lastSeq: null, doubtFrom: null, doubtPrevious: null, holes: [] };
    const replaced = await context.database.write(async (tx) => {
      const moved = (await replaceFeedCursor(tx, name, cursor, { nextSeq, state })) !== undefined;
      if (moved) await context.ledger.append(tx, { type: 'feed.replayed', details: { feed: name, from: nextSeq } });
      return moved;
    });
    if (replaced) {
      context.stdout.write(`${name} goes on from entry ${nextSeq}.\n`);
      return 0;
    }
  }
  return refuse(context, `${name} is moving too fast to be stopped; try again.`);
}

async function answer({ stdin }: FeedCommandContext): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += Buffer.from(chunk).toString('utf8');
    if (text.includes('\n') || text.length > ANSWER_CHARACTERS_MAX) break;
  }
  return text.trim();
}

async function resend(setting: FeedSetting, context: FeedCommandContext): Promise<ExitCode> {
  const { database, reader, ledger, outbound, stdout } = context;
  await ledger.record({ type: 'feed.replayed', details: { feed: setting.name, from: 'dead letters' } });
  const feed = createFeed(setting, outbound);
  const sources = { setting, reader, version: productVersion() };
  const outcome = await resendDeadLetters(database, sources, feed).finally(() => feed.close());
  stdout.write(
    `${setting.name}: ${outcome.sent} sent, ${outcome.refused} refused again, ${outcome.gone} no longer there.\n`,
  );
  if (outcome.failure === undefined) return outcome.refused === 0 ? 0 : 1;
  return refuse(context, `${setting.name}: stopped because the receiver cannot be reached: ${outcome.failure}.`);
}

function refuse(context: FeedCommandContext, sentence: string): 1 {
  context.stderr.write(`${sentence}\n`);
  return 1;
}

/** What was typed goes back to a terminal: no control characters with it (G4). */
const printable = (typed: string): string => typed.slice(0, 200).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
