import type { ExecutionContext } from 'ava';
import { prepareConfig } from '../../src/config/prepare.ts';
import type { Config, ConfigOverrides } from '../../src/config/schema.ts';
import { SETTLE_SECONDS } from '../../src/crypto/key-rotation.ts';
import type { KeySealer } from '../../src/crypto/master-keys.ts';
import { createRingPeppers } from '../../src/crypto/peppers.ts';
import type { Sealer } from '../../src/crypto/sealing.ts';
import type { RingPurpose } from '../../src/crypto/secret-ring.ts';
import { createPasswordFactor } from '../../src/factors/password.ts';
import { createKeyDoors, openKeys, openMaster } from '../../src/key-doors.ts';
import { createIdentifiers } from '../../src/people/identifiers.ts';
import { createPersons } from '../../src/people/persons.ts';
import { openRowSealing } from '../../src/row-doors.ts';
import { nowMs, turnClock } from '../../src/shared/clock.ts';
import type { Database } from '../../src/storage/database.ts';
import { runNightlyJob } from '../../src/storage/nightly-job.ts';
import { temporaryFolder } from './folders.ts';
import { testLedger } from './ledger.ts';
import { CHEAP_PASSWORDS, STAFF_PASSWORDS } from './people.ts';

/** A master key that is never replaced. */
export const fixedMaster = ({ seal, unseal }: Sealer): KeySealer => ({ seal, unseal, refresh: async () => undefined });

/** The settings of a house that exists as far as its keys go. */
export function keyConfig(t: ExecutionContext, secrets: ConfigOverrides['secrets'] = {}): Config {
  const prepared = prepareConfig({
    env: { TONGBAN_PROFILE: 'test' },
    overrides: { dataDir: temporaryFolder(t), issuer: 'http://localhost:4870', secrets },
  });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  return prepared.config;
}

/**
 * One process of a house: its own view of the keys, the people and what changes the keys. Several on one database are several
 * nodes; a node hears of another's change when it looks, once a second.
 */
export async function keyNode(t: ExecutionContext, raw: Database, config: Config) {
  const altered: string[] = [];
  const master = await openMaster(config, raw);
  const rows = await openRowSealing(config, raw, master.root, (place) => altered.push(place));
  const { database } = rows;
  const keys = await openKeys(config, database, master, (place) => altered.push(place));
  rows.seals.follow(keys.ring);
  t.teardown(() => keys.ring.close());
  const { sealer, index, ring } = keys;
  const ledger = testLedger(database, sealer);
  const persons = createPersons({ database, sealer, index, ledger, guard: rows.guard });
  await rows.finish(ledger);
  const doors = createKeyDoors(config, keys, rows, { ledger, persons });
  return {
    ...doors,
    altered,
    database,
    ledger,
    rows,
    ring,
    master,
    sealer,
    index,
    persons,
    identifiers: createIdentifiers({ database, sealer, index, ledger, persons, tellLoss: async () => undefined }),
    passwords: createPasswordFactor({
      database,
      ledger,
      peppers: createRingPeppers(ring),
      options: CHEAP_PASSWORDS,
      breached: { has: async () => false },
      staff: STAFF_PASSWORDS,
    }),
    /** Puts a new key in use, the wait turned over by the clock. Resolves with its id. */
    async rotate(purpose: RingPurpose): Promise<string> {
      await doors.keyRotation.stage(purpose);
      later(SETTLE_SECONDS);
      const outcome = await doors.keyRotation.putInUse(purpose);
      if (!outcome.ok) throw new Error(outcome.reason);
      return outcome.id;
    },
    reseal: () => runNightlyJob({ database, job: doors.resealing(100_000) }),
  };
}

export type KeyNode = Awaited<ReturnType<typeof keyNode>>;

/** Turns the clock so many seconds further. */
export const later = (seconds: number): void => turnClock(nowMs() - Date.now() + seconds * 1000);
