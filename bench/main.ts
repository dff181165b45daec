import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { barsOf } from './bars.ts';
import { printCryptoRates } from './crypto-rates.ts';
import { printFootprint } from './footprint.ts';
import { measureLedgerCost } from './ledger-cost.ts';
import { measureLimiterCost } from './limiter-cost.ts';
import { median } from './measure.ts';
import { type BenchOptions, isMeant, readOptions, USAGE, UsageError } from './options.ts';
import { FULL_HASH, NO_HASH, type Started, startTogether } from './peers.ts';
import { measureRedisSession } from './redis-sessions.ts';
import { type Extra, missedBars, printExtras, printRows, type Row } from './report.ts';
import { CONNECTIONS, measureScenario, QUICK, THOROUGH } from './rounds.ts';
import { runScale } from './scale.ts';
import { runPostgresScale } from './scale-postgres.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { measureSealingCost } from './sealing-cost.ts';
import { endServersOnSignal } from './server-process.ts';
import { measureSm2Cost } from './sm2-cost.ts';
import { measureStorm } from './storm.ts';
import { measureStrongSignIns, STRONG_SCENARIOS } from './strong-sign-in.ts';
import { measureWorkers } from './workers.ts';

/*
 * Tongban ID beside a bare oidc-provider, each in a process of its own, driven in turn by the same sixteen connections.
 * Processor time per operation is the figure that travels between machines; throughput is not. Ends with 1 when a bar is
 * missed, with 2 when a server gave a wrong answer or the command line says nothing that can be done. What can be said there: options.ts.
 */

const STORM = 'storm';
/** What the limiter's part is a part of. */
const SSO = 'SSO';
/** What the part of sealing is a part of. */
const SEALING = ['sign-in, hash', 'sign-in, no hash', SSO, 'userinfo'];
const COLD_START = 'cold start';
const LEDGER_COST = 'ledger cost';
const SM2_COST = 'SM2 tokens';

const options = fromCommandLine();
if (options.crypto) process.exit((await printCryptoRates()) ? 0 : 1);
if (options.engine === 'postgres') {
  endServersOnSignal();
  process.exit(await runPostgresScale(options.people, options));
}

const { engine, peers } = options;
const bars = barsOf(engine);
const pace = options.quick ? QUICK : THOROUGH;
const wanted = (name: string): boolean => options.only.length === 0 || options.only.some((part) => isMeant(name, part));

function fromCommandLine(): BenchOptions {
  const names = [...SCENARIOS.map(({ name }) => name), STORM, COLD_START, ...STRONG_SCENARIOS.map(({ name }) => name)];
  try {
    const read = readOptions(process.argv.slice(2), [...names, LEDGER_COST, SM2_COST]);
    if (read !== undefined) return read;
    process.stdout.write(USAGE);
    return process.exit(0);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    return process.exit(2);
  }
}

async function coldStart(server: Started): Promise<number> {
  const startsMs: number[] = [];
  for (let n = 0; n < pace.coldStarts; n += 1) startsMs.push(await server.restart());
  return median(startsMs);
}

/** Everything that runs with one password cost, on one pair of servers. */
async function measurePair(hash: Scenario['hash'], rows: Row[], extras: Extra[]): Promise<void> {
  const scenarios = SCENARIOS.filter((scenario) => scenario.hash === hash && wanted(scenario.name));
  const stormy = hash === 'full' && wanted(STORM);
  const starting = hash === 'full' && wanted(COLD_START);
  if (scenarios.length === 0 && !stormy && !starting) return;
  const cost = hash === 'full' ? FULL_HASH : NO_HASH;
  const servers: Started[] = [];
  try {
    servers.push(...(await startTogether(peers, { hash: cost, peopleCount: pace.peopleCount, engine })));
    for (const scenario of scenarios) {
      process.stderr.write(`${scenario.name} ...\n`);
      rows.push(await measureScenario(scenario, servers, pace, bars.of(scenario.name)));
    }
    for (const server of servers) {
      // The bare library is here to compare, and nobody waits for it in a hurry.
      if (options.quick && server.name === 'bare' && peers.length > 1) continue;
      if (stormy) process.stderr.write(`${STORM} (${server.name}) ...\n`);
      if (stormy)
        extras.push({ peer: server.name, storm: await measureStorm(server, pace.stormRounds, pace.stormRoundMs) });
      if (starting) extras.push({ peer: server.name, coldStartMs: await coldStart(server) });
      const redisSession = hash === 'none' ? await measureRedisSession(server) : undefined;
      if (redisSession !== undefined) extras.push({ peer: server.name, redisSession });
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

endServersOnSignal();
if (options.workers !== undefined) process.exit((await measureWorkers(options.workers, pace, engine)) ? 0 : 1);
if (options.footprint) {
  await printFootprint();
  process.exit(0);
}
if (options.scale) process.exit(await runScale(options.people, options));
const rows: Row[] = [];
const extras: Extra[] = [];
try {
  await measurePair('none', rows, extras);
  await measurePair('full', rows, extras);
  rows.push(
    ...(await measureStrongSignIns(
      // Hundreds of people with an app are made first: not in a hurry, unless they are asked for.
      STRONG_SCENARIOS.filter(({ name }) => wanted(name) && (!options.quick || options.only.length > 0)),
      peers,
      pace,
    )),
  );
  const ssoMicroseconds = rows.find(({ name }) => name === SSO)?.peers.ours?.cpuMicroseconds;
  if (ssoMicroseconds !== undefined) extras.push({ peer: 'ours', limiter: await measureLimiterCost(ssoMicroseconds) });
  const whole = new Map(
    SEALING.flatMap((name) => {
      const microseconds = rows.find((row) => row.name === name)?.peers.ours?.cpuMicroseconds;
      return microseconds === undefined ? [] : [[name, microseconds] as const];
    }),
  );
  if (whole.size > 0) extras.push({ peer: 'ours', sealing: await measureSealingCost(whole) });
  if (wanted(LEDGER_COST) && peers.includes('ours') && !options.quick) {
    process.stderr.write(`${LEDGER_COST} ...\n`);
    extras.push({ peer: 'ours', ledger: await measureLedgerCost(pace) });
  }
  if (wanted(SM2_COST) && peers.includes('ours') && (!options.quick || options.only.length > 0)) {
    process.stderr.write(`${SM2_COST} ...\n`);
    extras.push({ peer: 'ours', sm2: await measureSm2Cost(pace) });
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
rows.sort((a, b) => order(a.name) - order(b.name));
if (rows.length > 0) process.stdout.write(`${printRows(rows)}\n`);
if (extras.length > 0) process.stdout.write(`${printExtras(extras, bars)}\n`);
const missed = missedBars(rows, extras, bars);
if (missed.length > 0) process.stdout.write(`missed: ${missed.join(', ')}\n`);
if (options.json !== undefined) {
  const machine = { processor: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
  await writeFile(
    options.json,
    `${JSON.stringify({ machine, connections: CONNECTIONS, pace, rows, extras, missed }, null, 2)}\n`,
  );
}
// The lanes hold their connections open; nothing else is left to do.
process.exit(process.exitCode ?? (missed.length > 0 ? 1 : 0));

function order(name: string): number {
  return [...SCENARIOS, ...STRONG_SCENARIOS].findIndex((scenario) => scenario.name === name);
}
