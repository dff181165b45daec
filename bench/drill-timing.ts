import { randomInt } from 'node:crypto';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { monotonicMs } from '../src/shared/clock.ts';
import { Browser, formsOf } from './browser.ts';
import { type Drilled, startDrilled } from './defence-drill.ts';
import { median } from './measure.ts';
import { inventedPerson } from './peers.ts';
import { endServersOnSignal } from './server-process.ts';
import { authorizationPath, authorize } from './sign-in.ts';

/*
 * `npm run drill:timing -- [--n 2000] [--only NAME]`: does the time of an answer tell who has an account (P6, D9)? At each place where somebody is
 * named, one class of people who have an account and one of people who have none are asked about in turn, in random order. Says the
 * Mann-Whitney AUC, which is 0.5 where nobody can tell them apart, and the difference of the medians. Ends with 1 when the AUC is further than
 * 0.03 from 0.5 or the medians a millisecond apart.
 */

const { values } = parseArgs({ options: { n: { type: 'string', default: '2000' }, only: { type: 'string' } } });
const COUNT = Number(values.n);
const WARM_UP = 50;
const PEOPLE = 400;
const DISABLED = 100;
const AUC_MAX = 0.03;
const MEDIAN_MS_MAX = 1;

/** Asks once about a member of a class; `at` counts. */
type Ask = (at: number) => Promise<number>;

interface Place {
  readonly name: string;
  readonly classes: readonly [string, string];
  readonly prepare: (server: Drilled) => Promise<readonly [Ask, Ask]>;
}

const known = (at: number) => inventedPerson(at % PEOPLE);
const stranger = (at: number) => inventedPerson(PEOPLE + (at % PEOPLE));
const shut = (at: number) => inventedPerson(2 * PEOPLE + (at % DISABLED));

/** The form of a page whose action ends so, as it would be sent untouched. */
function formIn(text: string, ending: string) {
  const form = formsOf(text).find(({ action }) => action.endsWith(ending));
  if (form === undefined) throw new Error(`no form ${ending}: ${text.slice(0, 300)}`);
  return form;
}

const timed = async (status: number, send: () => Promise<{ readonly status: number }>): Promise<number> => {
  const startedMs = monotonicMs();
  const answer = await send();
  const tookMs = monotonicMs() - startedMs;
  if (answer.status !== status) throw new Error(`answered ${answer.status} in place of ${status}`);
  return tookMs;
};

async function signInPage(
  server: Drilled,
): Promise<{ readonly browser: Browser; readonly form: ReturnType<typeof formIn> }> {
  const browser = new Browser(server.origin);
  const asked = await browser.get(authorizationPath(server, {}));
  const page = await browser.get(browser.pathOf(asked.header('location') ?? '') ?? '/');
  return { browser, form: formIn(page.text, '/identify') };
}

/** One page with one form, asked about people by name and number. */
const byNumber =
  (path: string, status: number, other: (at: number) => ReturnType<typeof known>): Place['prepare'] =>
  async (server) => {
    const ask = (whom: typeof known): Ask => {
      return async (at) => {
        const { identifier: idNumber, name } = whom(at);
        const browser = new Browser(server.origin);
        const form = formIn((await browser.get(path)).text, path);
        const took = await timed(status, () => browser.post(path, { ...form.hidden, name, idNumber }));
        browser.connection.close();
        return took;
      };
    };
    return [ask(known), ask(other)];
  };

const signIn =
  (other: typeof known): Place['prepare'] =>
  async (server) => {
    const { browser, form } = await signInPage(server);
    const ask =
      (whom: typeof known): Ask =>
      (at) =>
        timed(401, () =>
          browser.post(form.action, { ...form.hidden, identifier: whom(at).identifier, password: `wrong ${at}` }),
        );
    return [ask(known), ask(other)];
  };

async function bindPhone(server: Drilled): Promise<readonly [Ask, Ask]> {
  const browser = new Browser(server.origin);
  const own = inventedPerson(PEOPLE - 1);
  await authorize(server, browser, authorizationPath(server, { prompt: 'consent' }), own);
  let path = '/account';
  for (let hops = 0; hops < 6; hops += 1) {
    const answer = await browser.get(path);
    const location = answer.header('location');
    if (location === undefined) break;
    path = browser.pathOf(location) ?? '/account';
  }
  const form = formIn((await browser.get('/account/methods/phone')).text, '/account/methods/phone');
  const ask =
    (phoneOf: (at: number) => string): Ask =>
    (at) =>
      timed(200, () => browser.post(form.action, { ...form.hidden, address: phoneOf(at) }));
  return [ask((at) => known(at % (PEOPLE - 1)).phone), ask((at) => stranger(at).phone)];
}

const PLACES: readonly Place[] = [
  { name: 'sign-in', classes: ['wrong password', 'nobody'], prepare: signIn(stranger) },
  { name: 'sign-in, shut', classes: ['wrong password', 'disabled'], prepare: signIn(shut) },
  { name: 'registration', classes: ['has an account', 'has none'], prepare: byNumber('/register', 303, stranger) },
  { name: 'recovery', classes: ['has an account', 'has none'], prepare: byNumber('/recover', 303, stranger) },
  { name: 'bind phone', classes: ['somebody else’s', 'nobody’s'], prepare: bindPhone },
];

const SETTINGS = {
  TONGBAN_LIMITS_FAILURES_PER_ACCOUNT: '100',
  TONGBAN_LIMITS_FAILURES_PER_ADDRESS: '1000000',
  TONGBAN_LIMITS_FAILURES_PER_NETWORK: '1000000',
  TONGBAN_LIMITS_REGISTRATIONS_PER_ADDRESS: '1000000',
  TONGBAN_RECOVERY_BEGINS_PER_NUMBER: '100',
  TONGBAN_MESSAGES_PER_ACCOUNT_DAY: '10000',
  TONGBAN_MESSAGES_PER_ADDRESS_DAY: '1000000',
  TONGBAN_ACCOUNT_FRESH_PROOF_SECONDS: '3600',
  TONGBAN_SESSION_IDLE_SECONDS: '7200',
};

/** The chance that one of the first class took longer than one of the second; ties count half. */
function auc(left: readonly number[], right: readonly number[]): number {
  const all = [...left.map((ms) => ({ ms, first: true })), ...right.map((ms) => ({ ms, first: false }))];
  all.sort((a, b) => a.ms - b.ms);
  let ranks = 0;
  for (let at = 0; at < all.length; ) {
    let end = at;
    while (end < all.length && all[end]!.ms === all[at]!.ms) end += 1;
    const rank = (at + 1 + end) / 2;
    for (let n = at; n < end; n += 1) if (all[n]!.first) ranks += rank;
    at = end;
  }
  return (ranks - (left.length * (left.length + 1)) / 2) / (left.length * right.length);
}

async function measure(place: Place): Promise<boolean> {
  const server = await startDrilled([PEOPLE, PEOPLE, DISABLED], SETTINGS);
  try {
    const asks = await place.prepare(server);
    for (let at = 0; at < WARM_UP; at += 1) for (const ask of asks) await ask(at);
    const times: readonly [number[], number[]] = [[], []];
    for (let at = 0; at < COUNT; at += 1) {
      const first = randomInt(2);
      for (const which of [first, 1 - first] as const)
        times[which as 0 | 1].push(await asks[which as 0 | 1](WARM_UP + at));
    }
    const area = auc(times[0], times[1]);
    const medians = times.map(median) as [number, number];
    const apart = Math.abs(medians[0] - medians[1]);
    const holds = Math.abs(area - 0.5) <= AUC_MAX && apart < MEDIAN_MS_MAX;
    process.stdout.write(
      `${place.name.padEnd(16)} n ${COUNT}  ${place.classes.map((name, at) => `${name} ${medians[at]?.toFixed(2)} ms`).join(', ')}  AUC ${area.toFixed(3)}  apart ${apart.toFixed(3)} ms  ${holds ? 'holds' : 'MISSED'}\n`,
    );
    return holds;
  } finally {
    await server.stop();
  }
}

endServersOnSignal();
process.stdout.write(
  `load of the machine: ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')}\n`,
);
let isWhole = true;
for (const place of PLACES)
  if (values.only === undefined || place.name.startsWith(values.only)) isWhole = (await measure(place)) && isWhole;
process.exit(isWhole ? 0 : 1);
