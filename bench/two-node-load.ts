import { setTimeout as pause } from 'node:timers/promises';
import { monotonicMs } from '../src/shared/clock.ts';
import { Browser } from './browser.ts';
import { Connection } from './connection.ts';
import { quantile } from './measure.ts';
import { authorizationPath, authorize, PKCE_VERIFIER, portalRequest, RefusedPage } from './sign-in.ts';
import type { Node } from './two-nodes.ts';

/** One whole sign-in: at one node, its code redeemed at another where there is one. Times by the monotonic clock, in milliseconds. */
export interface Flow {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly person: number;
  /** Where it signed in, and where the code went. */
  readonly nodes: readonly Node[];
  /** What went wrong; undefined when tokens came. */
  readonly failure: string | undefined;
  /** The code that bought tokens. */
  readonly code: string | undefined;
  /** The session is in its cookies. Kept of every so many flows. */
  readonly browser: Browser | undefined;
}

export interface Load {
  /** All that have ended, in the order in which they ended. */
  readonly flows: readonly Flow[];
  /** Begins no more, and waits for those under way. */
  readonly end: () => Promise<void>;
}

/** Every so many sessions one is kept, to be asked after at the end. */
const KEPT_OF = 20;

/**
 * Starts people signing in at a rate, whatever becomes of the earlier ones, the people of the first node in turn. `chosen` gives the nodes that may be
 * asked at the moment, as a load balancer would; with none of them a flow fails at once.
 */
export function startLoad(perSecond: number, chosen: () => readonly Node[]): Load {
  const flows: Flow[] = [];
  const underWay = new Set<Promise<void>>();
  let isOver = false;
  const begin = (n: number): void => {
    const one = signIn(n, chosen())
      .then((flow) => void flows.push(flow))
      .finally(() => underWay.delete(one));
    underWay.add(one);
  };
  const begun = (async () => {
    const startedMs = monotonicMs();
    for (let n = 0; !isOver; n += 1) {
      begin(n);
      await pause(Math.max(0, startedMs + ((n + 1) * 1000) / perSecond - monotonicMs()));
    }
  })();
  return {
    flows,
    end: async () => {
      isOver = true;
      await begun;
      await Promise.all(underWay);
    },
  };
}

async function signIn(n: number, nodes: readonly Node[]): Promise<Flow> {
  const startedMs = monotonicMs();
  const first = nodes[n % nodes.length];
  const second = nodes[(n + 1) % nodes.length];
  const person = first ? n % first.people.length : 0;
  const browser = first && new Browser(first.origin);
  const came = { code: undefined as string | undefined, failure: undefined as string | undefined };
  try {
    if (!first || !second || !browser) throw new Error('no node is there');
    const { code } = await authorize(first, browser, authorizationPath(first, {}), first.people[person]);
    const status = await redeemAt(second, code);
    if (status !== 200) throw new Error(`the code bought nothing: ${status}`);
    came.code = code;
  } catch (error) {
    came.failure = failureOf(error);
  } finally {
    browser?.connection.close();
  }
  return {
    startedMs,
    endedMs: monotonicMs(),
    person,
    nodes: [first, second].filter((node) => node !== undefined),
    ...came,
    browser: came.code !== undefined && n % KEPT_OF === 0 ? browser : undefined,
  };
}

function failureOf(error: unknown): string {
  if (error instanceof RefusedPage) return `page of ${error.status}, fault ${error.fault ?? 'without a number'}`;
  return String(error).slice(0, 160);
}

/** Offers a code once; gives the status of the answer. */
export async function redeemAt(node: Node, code: string): Promise<number> {
  const connection = new Connection(node.origin);
  try {
    const fields = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: node.client.redirectUri,
      code_verifier: PKCE_VERIFIER,
    };
    return (await connection.exchange(portalRequest(node, node.endpoints.token, fields))).status;
  } finally {
    connection.close();
  }
}

/** How many of the sessions no longer lead to a code without a question. */
export async function lostSessions(node: Node, browsers: readonly Browser[]): Promise<number> {
  let lost = 0;
  for (const browser of browsers) {
    // Cookies belong to a host, and both nodes have the same one.
    const here = browser.at(node.origin);
    await authorize(node, here, authorizationPath(node, { prompt: 'none' })).catch(() => {
      lost += 1;
    });
    here.connection.close();
  }
  return lost;
}

/** How many codes that bought tokens buy them once more. */
export async function boughtTwice(node: Node, codes: readonly string[]): Promise<number> {
  let twice = 0;
  for (const code of codes) if ((await redeemAt(node, code)) === 200) twice += 1;
  return twice;
}

/** Whole milliseconds within which 99 of a hundred sign-ins that came to their tokens were done. */
export const p99Of = (flows: readonly Flow[]): number =>
  Math.round(
    quantile(
      flows.flatMap(({ failure, startedMs, endedMs }) => (failure === undefined ? [endedMs - startedMs] : [])),
      0.99,
    ),
  );

const REASONS_MAX = 8;

/** Why flows failed, each reason once with how often, the most frequent first. */
export function reasonsOf(flows: readonly Flow[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { failure } of flows) {
    if (failure !== undefined) counts.set(failure, (counts.get(failure) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, REASONS_MAX)
    .map(([failure, count]) => `${count} x ${failure}`);
}
