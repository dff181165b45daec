import { parseArgs } from 'node:util';
import { type Delivery, deliveries, reviveDelivery, statusOf } from '../delivery/outbox.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { LOGOUT_TOPIC } from '../oidc/logout-notices.ts';
import type { Database } from '../storage/database.ts';
import { showTime } from '../web/language.ts';
import { visibleText } from '../web/visible-text.ts';

export interface LogoutCommandContext {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** 0 done, 1 refused (a sentence on stderr), 2 not understood (the usage on stderr). */
export type ExitCode = 0 | 1 | 2;

export const USAGE = `Usage:
  tongban logout deliveries [--portal ID] [--state waiting|delivered|dead] [--limit N] [--json]
                                    notices to portals, the newest first; delivered ones are kept for a week
  tongban logout retry (ID | --portal ID)
                                    send notices that were given up again: one, or up to 500 of a portal
`;

const STATES = ['waiting', 'delivered', 'dead'] as const;
const LIMIT_USUAL = 50;
const LIMIT_MAX = 500;
const OPTIONS = {
  portal: { type: 'string' },
  state: { type: 'string' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
} as const;

type Understood =
  | {
      readonly action: 'deliveries';
      readonly portal?: string;
      readonly state?: Delivery['state'];
      readonly limit: number;
      readonly json: boolean;
    }
  | { readonly action: 'retry'; readonly id: string }
  | { readonly action: 'retry'; readonly portal: string };

const ID_FORM = /^[\w.:-]{1,100}$/;

/** `tongban logout ...`, beside a server that may be running: it delivers, this command only looks and asks. Resolves with the exit code. */
export async function run(args: readonly string[], context: LogoutCommandContext): Promise<ExitCode> {
  const understood = understand(args);
  if (understood === undefined) {
    context.stderr.write(USAGE);
    return 2;
  }
  return understood.action === 'deliveries' ? list(understood, context) : retry(understood, context);
}

function understand(args: readonly string[]): Understood | undefined {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    const { portal, state, limit, json } = values;
    const [action, id, ...more] = positionals;
    if (more.length > 0 || (portal !== undefined && !ID_FORM.test(portal))) return undefined;
    const ofPortal = portal === undefined ? {} : { portal };
    if (action === 'deliveries' && id === undefined) {
      const isState = STATES.includes(state as Delivery['state']);
      if ((state !== undefined && !isState) || (limit !== undefined && !/^[1-9]\d{0,2}$/.test(limit))) return undefined;
      const count = Number(limit ?? LIMIT_USUAL);
      if (count > LIMIT_MAX) return undefined;
      const inState = state === undefined ? {} : { state: state as Delivery['state'] };
      return { action, ...ofPortal, ...inState, limit: count, json: json === true };
    }
    if (action !== 'retry' || state !== undefined || limit !== undefined || json !== undefined) return undefined;
    if (id === undefined) return portal === undefined ? undefined : { action, portal };
    return portal === undefined && ID_FORM.test(id) ? { action, id } : undefined;
  } catch {
    return undefined;
  }
}

async function list(
  asked: Extract<Understood, { action: 'deliveries' }>,
  { database, stdout }: LogoutCommandContext,
): Promise<ExitCode> {
  const { portal, state, limit } = asked;
  const found = await deliveries(database, {
    topic: LOGOUT_TOPIC,
    ...(portal === undefined ? {} : { clientId: portal }),
    ...(state === undefined ? {} : { state }),
    limit,
  });
  if (asked.json) stdout.write(`${JSON.stringify(found.map(told))}\n`);
  else for (const delivery of found) stdout.write(`${line(delivery)}\n`);
  if (!asked.json && found.length === 0) stdout.write('There is no such notice.\n');
  return 0;
}

const isoOf = (seconds: number): string => new Date(seconds * 1000).toISOString();

const told = ({ id, payload, state, attempts, dueAt, createdAt, finishedAt, lastError }: Delivery) => ({
  id,
  portal: payload.clientId,
  person: payload.personId,
  session: payload.sessionUid ?? null,
  state,
  attempts,
  created_at: isoOf(createdAt),
  next_at: state === 'waiting' ? isoOf(dueAt) : null,
  finished_at: finishedAt === null ? null : isoOf(finishedAt),
  error: lastError,
});

function line(delivery: Delivery): string {
  const { id, payload, state, attempts, dueAt, createdAt, finishedAt, lastError } = delivery;
  const when =
    state === 'waiting' ? `next ${showTime(dueAt, 'en')}` : `ended ${showTime(finishedAt ?? createdAt, 'en')}`;
  const error = lastError === null ? '' : `  ${visibleText(lastError)}`;
  return `${id}  ${String(payload.clientId)}  ${state}  attempts ${attempts}  since ${showTime(createdAt, 'en')}  ${when}${error}`;
}

async function retry(
  asked: Extract<Understood, { action: 'retry' }>,
  { database, ledger, stdout, stderr }: LogoutCommandContext,
): Promise<ExitCode> {
  const chosen =
    'portal' in asked
      ? await deliveries(database, { topic: LOGOUT_TOPIC, state: 'dead', clientId: asked.portal, limit: LIMIT_MAX })
      : [...(await statusOf(database, [asked.id])).values()].filter(({ topic }) => topic === LOGOUT_TOPIC);
  let revived = 0;
  for (const { id: delivery, payload } of chosen) {
    const isRevived = await database.write(async (tx) => {
      if (!(await reviveDelivery(tx, delivery))) return false;
      const clientId = String(payload.clientId);
      await ledger.append(tx, { type: 'logout.retried', clientId, details: { delivery } });
      return true;
    });
    if (isRevived) revived += 1;
  }
  if (revived === 0) {
    stderr.write('No notice that was given up is called so.\n');
    return 1;
  }
  stdout.write(`Notices to be sent again: ${revived}. A running server begins within a second.\n`);
  return 0;
}
