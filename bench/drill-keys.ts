import { loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type House, openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { SETTLE_SECONDS } from '../src/crypto/key-rotation.ts';
import { RING_PURPOSES } from '../src/crypto/secret-ring.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { runNightlyJob } from '../src/storage/nightly-job.ts';
import { Browser } from './browser.ts';
import { type Drilled, startDrilled } from './defence-drill.ts';
import { type Operation, openLoop, quantile } from './measure.ts';
import { inventedPerson } from './peers.ts';
import { CONSENT } from './scenarios.ts';
import { endServersOnSignal } from './server-process.ts';
import { authorizationPath, authorize, memberOf, RefusedPage, redeem } from './sign-in.ts';
import { KeySet } from './token-checking.ts';

/*
 * `npm run drill:keys -- [--rotations 20] [--per-second 30]`: people sign in with their passwords, and others who are signed in go on to the
 * portal, while this process, beside the server as an operator's would be, replaces every kind of key so many times and has everything sealed
 * anew each time. Every ID token is verified with a key set that is fetched again only for a key it does not know. Ends with 1 when one sign-in
 * failed or one session was lost; who was turned away because the machine is too busy to hash is counted apart. What must wait for minutes or hours (a key set that is cached, a key that may go) is turned back in the
 * store; the ten seconds in which every process learns of a key are waited for.
 */

const { values } = parseArgs({
  options: { rotations: { type: 'string', default: '20' }, 'per-second': { type: 'string', default: '30' } },
});
const ROTATIONS = Number(values.rotations);
const PER_SECOND = Number(values['per-second']);
const SSO_PER_SECOND = 10;
const LANES = 48;
const SSO_LANES = 16;
const PEOPLE = 400;
/** Beside the ten seconds of waiting: changing the keys, and sealing anew, takes so long at most. */
const ROUND_MS = SETTLE_SECONDS * 1000 + 4_000;
const ROWS_PER_SECOND = 5_000;

const SETTINGS = { TONGBAN_PASSWORD_MEMORY_KIB: '7168', TONGBAN_PASSWORD_ITERATIONS: '1' };
const AGED = 'UPDATE keys SET created_at = created_at - 1000 WHERE purpose = $1';
const OVER = 'UPDATE keys SET retires_at = retires_at - 100000 WHERE purpose IN ($1, $2)';

interface Tally {
  done: number;
  failed: string[];
  /** Turned away because others waited for a hash, which is told on the form itself: a machine too small or too busy, and no matter of keys. */
  overloaded: number;
}

const counted =
  (tally: Tally, work: () => Promise<void>): Operation =>
  async () => {
    try {
      await work();
      tally.done += 1;
    } catch (error) {
      const fault = error instanceof RefusedPage ? error.fault : undefined;
      const isOverload = error instanceof RefusedPage && error.status === 503 && fault === undefined;
      if (isOverload) tally.overloaded += 1;
      else tally.failed.push(fault === undefined ? String(error).slice(0, 300) : `fault ${fault}`);
    }
    return 1;
  };

/** Somebody signs in, in a browser that was never here; the portal verifies what it is given. */
function signInLane(server: Drilled, keys: KeySet, tally: Tally, lane: number): Operation {
  const browser = new Browser(server.origin);
  let n = 0;
  return counted(tally, async () => {
    n += 1;
    browser.forget();
    const person = inventedPerson((lane * 31 + n) % PEOPLE);
    const { code } = await authorize(server, browser, authorizationPath(server, CONSENT), person);
    await keys.verify(memberOf(await redeem(server, browser.connection, code), 'id_token'));
  });
}

/** Somebody who signed in before the first change. */
async function heldLane(server: Drilled, keys: KeySet, tally: Tally, lane: number): Promise<Operation> {
  const browser = new Browser(server.origin);
  await authorize(server, browser, authorizationPath(server, CONSENT), inventedPerson(lane));
  return counted(tally, async () => {
    const { code } = await authorize(server, browser, authorizationPath(server, { prompt: 'none' }));
    await keys.verify(memberOf(await redeem(server, browser.connection, code), 'id_token'));
  });
}

/** Every kind once. Resolves with how many values were sealed or indexed anew. */
async function replaceAll(house: House): Promise<number> {
  for (const purpose of RING_PURPOSES) await house.keyRotation.stage(purpose);
  await pause(SETTLE_SECONDS * 1000);
  for (const purpose of RING_PURPOSES) {
    let outcome = await house.keyRotation.putInUse(purpose);
    while (!outcome.ok && outcome.reason === 'too_soon') {
      await pause(200);
      outcome = await house.keyRotation.putInUse(purpose);
    }
    if (!outcome.ok) throw new Error(`${purpose}: ${outcome.reason}`);
  }
  await house.database.run(AGED, ['signing']);
  for (const algorithm of house.keyring.algorithms) {
    if (!(await house.keyring.rotate(algorithm)).ok) throw new Error(`${algorithm} was not replaced`);
  }
  let moved = 0;
  await runNightlyJob({
    database: house.database,
    job: house.resealing(ROWS_PER_SECOND),
    onProgress: ({ counts }) => {
      moved = (counts.resealed ?? 0) + (counts.reindexed ?? 0);
      if ((counts.unreadable ?? 0) > 0) throw new Error(`${counts.unreadable} values do not open`);
    },
  });
  return moved;
}

/** Resolves with how many replaced keys that seal or index are gone, of how many. */
async function retireAll(house: House): Promise<readonly [gone: number, all: number]> {
  await house.database.run(OVER, ['sealing', 'index']);
  let gone = 0;
  let all = 0;
  for (const purpose of ['sealing', 'index'] as const) {
    for (const { id } of house.secretRing.keys(purpose).filter(({ state }) => state === 'previous')) {
      all += 1;
      if ((await house.keyRotation.retire(purpose, id)).ok) gone += 1;
    }
  }
  return [gone, all];
}

const say = (what: string, figure: string, holds?: boolean): void => {
  process.stdout.write(`${what.padEnd(34)} ${figure}${holds === undefined ? '' : holds ? '  holds' : '  MISSED'}\n`);
};

const spread = (latenciesMs: readonly number[]): string =>
  `p50 ${quantile(latenciesMs, 0.5).toFixed(1)} ms, p99 ${quantile(latenciesMs, 0.99).toFixed(1)} ms`;

async function houseBeside(server: Drilled): Promise<House> {
  const prepared = prepareConfig({
    env: {
      TONGBAN_PROFILE: 'test',
      TONGBAN_DATA_DIR: server.dataDir,
      TONGBAN_PORT: server.origin.port,
      TONGBAN_ISSUER: server.origin.origin,
      ...SETTINGS,
    },
  });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  return openHouse(prepared.config, 'drill');
}

async function drill(): Promise<boolean> {
  const server = await startDrilled([PEOPLE, 0, 0], SETTINGS);
  const house = await houseBeside(server);
  try {
    const keys = new KeySet(server);
    const signIns: Tally = { done: 0, failed: [], overloaded: 0 };
    const held: Tally = { done: 0, failed: [], overloaded: 0 };
    const lanes = Array.from({ length: LANES }, (_, lane) => signInLane(server, keys, signIns, lane));
    const heldLanes: Operation[] = [];
    for (let lane = 0; lane < SSO_LANES; lane += 1) heldLanes.push(await heldLane(server, keys, held, lane));
    const before = [
      ...(await Promise.all([openLoop(lanes, PER_SECOND, 10_000), openLoop(heldLanes, SSO_PER_SECOND, 10_000)])),
    ];
    say(
      'load of the machine',
      loadavg()
        .map((load) => load.toFixed(1))
        .join(' '),
    );
    say('sign-ins, no key changed', spread(before[0]!));

    const changesMs: number[] = [];
    let moved = 0;
    const changing = (async () => {
      for (let n = 0; n < ROTATIONS; n += 1) {
        const startedMs = monotonicMs();
        moved += await replaceAll(house);
        changesMs.push(monotonicMs() - startedMs);
      }
    })();
    const durationMs = ROTATIONS * ROUND_MS;
    const [signInMs, heldMs] = await Promise.all([
      openLoop(lanes, PER_SECOND, durationMs),
      openLoop(heldLanes, SSO_PER_SECOND, durationMs),
      changing,
    ]);
    const [gone, all] = await retireAll(house);
    await Promise.all([openLoop(lanes, PER_SECOND, 5_000), openLoop(heldLanes, SSO_PER_SECOND, 5_000)]);
    const altered = await house.database.all(
      "SELECT 1 FROM ledger_entries WHERE entry LIKE '%sealed-data.altered%'",
      [],
    );

    const kinds = RING_PURPOSES.length + house.keyring.algorithms.length;
    say('keys replaced', `${kinds} kinds, ${changesMs.length} times`, changesMs.length === ROTATIONS);
    say('one change of all, with the wait', spread(changesMs));
    say('values written anew', String(moved), moved > 0);
    say(
      'sign-ins',
      `${signIns.done}, failed ${signIns.failed.length}, turned away for overload ${signIns.overloaded}, ${spread(signInMs)}`,
      signIns.failed.length === 0,
    );
    say(
      'sessions of before the changes',
      `${held.done} uses, lost ${held.failed.length}, ${spread(heldMs)}`,
      held.failed.length === 0,
    );
    say('replaced keys that could go', `${gone} of ${all}`, gone === all);
    say('values that did not open', String(altered.length), altered.length === 0);
    say(
      'load of the machine',
      loadavg()
        .map((load) => load.toFixed(1))
        .join(' '),
    );
    for (const failure of [...signIns.failed, ...held.failed].slice(0, 3)) process.stderr.write(`${failure}\n`);
    return (
      signIns.failed.length + held.failed.length + altered.length === 0 &&
      gone === all &&
      changesMs.length === ROTATIONS
    );
  } finally {
    await house.close();
    await server.stop();
  }
}

endServersOnSignal();
process.exit((await drill()) ? 0 : 1);
