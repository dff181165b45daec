import { randomInt } from 'node:crypto';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { monotonicMs } from '../src/shared/clock.ts';
import { Browser, formsOf } from './browser.ts';
import { type Drilled, startDrilled } from './defence-drill.ts';
import { type ApartVerdict, apart, apartVerdict } from './indistinguishable.ts';
import { median } from './measure.ts';
import { inventedPerson } from './peers.ts';
import { endServersOnSignal } from './server-process.ts';
import { authorizationPath, authorize } from './sign-in.ts';
import { pageAskedFor } from './sign-in-page.ts';

/*
 * `npm run drill:timing -- [--n 2000] [--only NAME]... [--hash-kib 19456]`: does the time of an answer tell who has an account (P6, D9)? At each place where somebody is
 * named, one class of people who have an account and one of people who have none are asked about in pairs, each in random order. Says the
 * Mann-Whitney AUC, which is 0.5 where nobody can tell them apart, and the median of the differences within the pairs. Ends with 1 when the AUC is
 * further than 0.03 from 0.5 or the pairs a millisecond apart, with 2 when they are by no more than chance explains: the machine is too busy.
 * With the names of places each can have a sitting of its own. Where a hash is cheaper it hides less: the drill is then the stricter one.
 */

const { values } = parseArgs({
  options: {
    n: { type: 'string', default: '2000' },
    only: { type: 'string', multiple: true },
    'hash-kib': { type: 'string', default: '19456' },
  },
});
const COUNT = Number(values.n);
const WARM_UP = 50;
const PEOPLE = 400;
const DISABLED = 100;

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

async function signInForm(server: Drilled, browser: Browser): Promise<ReturnType<typeof formIn>> {
  return formIn(await pageAskedFor(server, browser, { prompt: 'login' }), '/identify');
}

/** Makes the browser one that somebody has used: whoever tries others from it shows the secret of a device each time. */
async function useBrowser(server: Drilled, browser: Browser): Promise<void> {
  await authorize(server, browser, authorizationPath(server, { prompt: 'consent' }), inventedPerson(PEOPLE - 1));
  if (!browser.cookiesFor('/').includes('device=')) throw new Error('the browser was not remembered');
}

const others = (at: number) => known(at % (PEOPLE - 1));

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
  (other: typeof known, before?: (server: Drilled, browser: Browser) => Promise<void>): Place['prepare'] =>
  async (server) => {
    const browser = new Browser(server.origin);
    await before?.(server, browser);
    const form = await signInForm(server, browser);
    const ask =
      (whom: typeof known): Ask =>
      (at) =>
        timed(401, () =>
          browser.post(form.action, { ...form.hidden, identifier: whom(at).identifier, password: `wrong ${at}` }),
        );
    return [ask(others), ask(other)];
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
  return [ask((at) => others(at).phone), ask((at) => stranger(at).phone)];
}

const PLACES: readonly Place[] = [
  { name: 'sign-in', classes: ['wrong password', 'nobody'], prepare: signIn(stranger) },
  { name: 'sign-in-shut', classes: ['wrong password', 'disabled'], prepare: signIn(shut) },
  { name: 'registration', classes: ['has an account', 'has none'], prepare: byNumber('/register', 303, stranger) },
  { name: 'recovery', classes: ['has an account', 'has none'], prepare: byNumber('/recover', 303, stranger) },
  { name: 'device', classes: ['wrong password', 'nobody'], prepare: signIn(stranger, useBrowser) },
  { name: 'bind-phone', classes: ['somebody else’s', 'nobody’s'], prepare: bindPhone },
];

const SETTINGS = {
  TONGBAN_LIMITS_FAILURES_PER_ACCOUNT: '100',
  TONGBAN_LIMITS_FAILURES_PER_ADDRESS: '1000000',
  TONGBAN_LIMITS_FAILURES_PER_NETWORK: '1000000',
  TONGBAN_LIMITS_REGISTRATIONS_PER_ADDRESS: '1000000',
  TONGBAN_RECOVERY_BEGINS_PER_NUMBER: '100',
  TONGBAN_CODES_SENDS_MAX: '10',
  TONGBAN_MESSAGES_PER_ACCOUNT_DAY: '10000',
  TONGBAN_MESSAGES_PER_ADDRESS_DAY: '1000000',
  TONGBAN_ACCOUNT_FRESH_PROOF_SECONDS: '3600',
  TONGBAN_SESSION_IDLE_SECONDS: '7200',
  TONGBAN_PASSWORD_MEMORY_KIB: values['hash-kib'],
};

async function measure(place: Place): Promise<ApartVerdict> {
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
    const found = apart(...times);
    const verdict = apartVerdict(found);
    const medians = place.classes.map((name, at) => `${name} ${median(times[at as 0 | 1]).toFixed(2)} ms`).join(', ');
    const range = `${found.fromMs.toFixed(2)} to ${found.toMs.toFixed(2)}`;
    process.stdout.write(
      `${place.name.padEnd(16)} n ${COUNT}  ${medians}  AUC ${found.auc.toFixed(3)}  pairs apart ${found.medianMs.toFixed(3)} ms (99 %: ${range})  ${verdict}\n`,
    );
    return verdict;
  } finally {
    await server.stop();
  }
}

const asked = values.only ?? PLACES.map(({ name }) => name);
const strange = asked.filter((name) => !PLACES.some((place) => place.name === name));
if (strange.length > 0) throw new Error(`no such place: ${strange}; there are ${PLACES.map(({ name }) => name)}`);

endServersOnSignal();
process.stdout.write(
  `load of the machine: ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')}\n`,
);
const verdicts = new Set<ApartVerdict>();
for (const place of PLACES) if (asked.includes(place.name)) verdicts.add(await measure(place));
process.exit(verdicts.has('MISSED') ? 1 : verdicts.has('undecided') ? 2 : 0);
