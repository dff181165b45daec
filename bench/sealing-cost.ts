import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type House, openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import type { SealedColumn, Sealer } from '../src/crypto/sealing.ts';
import { parseIdNumber } from '../src/people/id-number.ts';
import { serve } from '../src/serve.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { OUR_ENDPOINTS } from './endpoints.ts';
import type { Operation } from './measure.ts';
import { inventedPerson, LEAST_HASH, type Running } from './peers.ts';
import { SCENARIOS } from './scenarios.ts';
import { freePort } from './server-process.ts';

/** What sealing and opening columns takes of one operation, whose whole processor time stands beside it. */
export interface SealingCost {
  readonly name: string;
  readonly seals: number;
  readonly opens: number;
  /** Opened out of a row that is kept in memory. */
  readonly keptOpens: number;
  readonly microseconds: number;
  readonly ofMicroseconds: number;
}

const OPERATIONS = 16;
/** Called so many times between two looks at the clock, for so long. */
const CALLS = 500;
const LOOP_MS = 200;
/** A number and a name are about so long, the key of a subject in base64 a little longer. */
const TEXT = '339900199001011014-1234567890';
const REDIRECT_URI = 'https://portal.example/callback';

/**
 * There is no product that seals nothing to measure against, so: how often each operation seals and opens, counted in a server in this
 * process by 16 of them one after the other, times what one call takes alone in a loop.
 */
export async function measureSealingCost(whole: ReadonlyMap<string, number>): Promise<readonly SealingCost[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tongban-bench-'));
  const port = await freePort();
  const origin = new URL(`http://127.0.0.1:${port}`);
  const prepared = prepareConfig({
    env: {
      TONGBAN_PROFILE: 'test',
      TONGBAN_PASSWORD_MEMORY_KIB: String(LEAST_HASH.memoryKib),
      TONGBAN_PASSWORD_ITERATIONS: String(LEAST_HASH.iterations),
    },
    overrides: { host: '127.0.0.1', port, issuer: origin.origin, dataDir: join(folder, 'data') },
  });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  const house = await openHouse(prepared.config);
  const serving = await serve(house, pino({ level: 'silent' }));
  try {
    const [sealMicroseconds, openMicroseconds, keptMicroseconds] = timesOf(house.sealer);
    const counts = counted(house.sealer);
    const server = await peopled(house, origin);
    const costs: SealingCost[] = [];
    for (const [name, ofMicroseconds] of whole) {
      const scenario = SCENARIOS.find((one) => one.name === name)!;
      const operate: Operation = await scenario.prepare(server, 0);
      await operate();
      const before = { ...counts };
      for (let n = 0; n < OPERATIONS; n += 1) await operate();
      const seals = (counts.seals - before.seals) / OPERATIONS;
      const opens = (counts.opens - before.opens) / OPERATIONS;
      const keptOpens = (counts.keptOpens - before.keptOpens) / OPERATIONS;
      const microseconds = seals * sealMicroseconds + opens * openMicroseconds + keptOpens * keptMicroseconds;
      costs.push({ name, seals, opens, keptOpens, microseconds, ofMicroseconds });
    }
    return costs;
  } finally {
    await serving.stop();
    await house.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Counts the calls from now on, in place: everything in the house holds this very sealer. */
function counted(sealer: Sealer): { seals: number; opens: number; keptOpens: number } {
  const counts = { seals: 0, opens: 0, keptOpens: 0 };
  const { seal, unseal, unsealKept } = sealer;
  Object.assign(sealer, {
    seal(plaintext: string, context: string): SealedColumn {
      counts.seals += 1;
      return seal(plaintext, context);
    },
    unseal(sealed: Uint8Array, context: string): string {
      counts.opens += 1;
      return unseal(sealed, context);
    },
    unsealKept(sealed: Uint8Array, context: string): string {
      counts.keptOpens += 1;
      return unsealKept(sealed, context);
    },
  });
  return counts;
}

/** Processor time of one sealing, one opening and one out of a kept row, in microseconds; the first round is for the compiler. */
function timesOf(sealer: Sealer): readonly [seal: number, open: number, kept: number] {
  const place = 'persons:name_sealed:psn_0mx1j2nhw79KiM5gMA0lMbNG';
  const sealed = sealer.seal(TEXT, place);
  const loop = (call: () => unknown): number => {
    const endMs = monotonicMs() + LOOP_MS;
    let count = 0;
    for (; monotonicMs() < endMs; count += CALLS) for (let n = 0; n < CALLS; n += 1) call();
    return count;
  };
  const timeOf = (call: () => unknown): number => {
    loop(call);
    const before = process.cpuUsage();
    const count = loop(call);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / count;
  };
  return [
    timeOf(() => sealer.seal(TEXT, place)),
    timeOf(() => sealer.unseal(sealed, place)),
    timeOf(() => sealer.unsealKept(sealed, place)),
  ];
}

/** The same person and portal as the servers of the other rows have. */
async function peopled(house: House, origin: URL): Promise<Running> {
  const person = inventedPerson(0);
  const parsed = parseIdNumber(person.identifier);
  const hash = await house.passwords.prepare(person.password);
  if (!parsed.ok || hash === 'busy') throw new Error('no such person');
  await house.persons.add({ idNumber: parsed.number, name: person.name, ial: 2, origin: 'bench' }, (tx, { id }) =>
    house.passwords.store(tx, id, hash, 'bench'),
  );
  const outcome = await house.relyingParties.add(
    {
      client_name: 'Bench portal',
      redirect_uris: [REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      scope: 'openid profile offline_access',
      token_endpoint_auth_method: 'client_secret_basic',
    },
    'bench',
  );
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  return {
    name: 'ours',
    origin,
    process: undefined,
    endpoints: OUR_ENDPOINTS,
    client: { id: outcome.party.clientId, secret: outcome.secret ?? '', redirectUri: REDIRECT_URI },
    people: [person],
    restart: async () => 0,
    stop: async () => {},
  };
}
