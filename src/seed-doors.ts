import type { House } from './app.ts';
import { PASSWORD_ROW, type PreparedPassword } from './factors/password.ts';
import { insertCompanies, makeCompanies } from './legal-persons/seeding/seeded-companies.ts';
import { holdersAt, insertPeople, makePeople } from './people/seeding/seeded-people.ts';
import { nowSeconds } from './shared/clock.ts';
import type { Connection, Database, Transaction } from './storage/database.ts';
import { insertRows } from './storage/row-shape.ts';

/** How many have been made so far, and how many of them the ledger knows of. */
interface SeedState {
  readonly people: number;
  readonly companies: number;
  readonly peopleTold: number;
  readonly companiesTold: number;
}

export interface SeedRequest {
  readonly people: number;
  readonly companies: number;
  /** Percent of the people who also sign in by a phone. */
  readonly phoneShare: number;
  /** The first so many of this run share one password. */
  readonly withPassword: number;
  readonly password: PreparedPassword | undefined;
  /** Ends the run between two batches: whoever is there is there whole. */
  readonly signal: AbortSignal;
  readonly progress: (kind: 'people' | 'companies', done: number) => void;
}

/** `elsewhere`: another process seeds the same store. `nobody`: companies were asked for and there is nobody to represent them. */
export type SeedOutcome =
  | {
      readonly state: 'done' | 'stopped';
      readonly people: number;
      readonly companies: number;
      readonly total: SeedState;
    }
  | { readonly state: 'elsewhere' }
  | { readonly state: 'nobody' };

export interface Seed {
  run(request: SeedRequest): Promise<SeedOutcome>;
}

/** As many as other writers may be kept waiting for: a fraction of a second, and one fsync. */
const BATCH = 4_000;
const STATE = 'demo.seeded';
const NOTHING: SeedState = { people: 0, companies: 0, peopleTold: 0, companiesTold: 0 };
const READ = 'SELECT value FROM settings WHERE name = $1';
const BEGIN = 'INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING';
const ADVANCE = 'UPDATE settings SET value = $1 WHERE name = $2 AND value = $3';

async function stateIn(connection: Connection): Promise<SeedState> {
  const row = await connection.get<{ value: string }>(READ, [STATE]);
  return row === undefined ? NOTHING : (JSON.parse(row.value) as SeedState);
}

/** The step from one state to the next and what belongs to it, together or not at all. False when another run took that step. */
const advance = (
  database: Database,
  from: SeedState,
  to: SeedState,
  work: (tx: Transaction) => Promise<void>,
): Promise<boolean> =>
  database.write(async (tx) => {
    if ((await tx.run(ADVANCE, [JSON.stringify(to), STATE, JSON.stringify(from)])) === 0) return false;
    await work(tx);
    return true;
  });

const places = (from: number, count: number): readonly number[] => Array.from({ length: count }, (_, n) => from + n);

/**
 * Fills the store of a demonstration. People and companies stand at places that are counted for good: a further run goes on after the
 * last one, and what a killed run had begun is complete up to a batch. One event tells of a run, and of those before it that were killed.
 */
export function createSeed({ database, sealer, index, ledger, persons: { found } }: House): Seed {
  const keys = { sealer, index };

  const seedPeople = async (state: SeedState, done: number, request: SeedRequest): Promise<SeedState | undefined> => {
    const { people, phoneShare, withPassword, password } = request;
    const count = Math.min(BATCH, people - done);
    const made = await makePeople(database, keys, places(state.people, count), phoneShare);
    const known = password === undefined ? [] : made.ids.slice(0, Math.max(0, withPassword - done));
    const now = nowSeconds();
    const next = { ...state, people: state.people + count };
    const isOurs = await advance(database, state, next, async (tx) => {
      await insertPeople(tx, made);
      found.copies?.sealMade(tx, made.copies);
      await insertRows(
        tx,
        PASSWORD_ROW,
        known.map((id) => [id, password!, now]),
      );
    });
    return isOurs ? next : undefined;
  };

  /** Represented by one person after the other, from the first on. */
  const seedCompanies = async (state: SeedState, count: number): Promise<SeedState | undefined> => {
    const at = places(state.companies, count).map((place) => ({ place, person: place % state.people }));
    const people = [...new Set(at.map(({ person }) => person))];
    const ids = await holdersAt(database, index, people);
    const made = makeCompanies(
      keys,
      at.flatMap(({ place, person }) => {
        const representativeId = ids.get(person);
        return representativeId === undefined ? [] : [{ place, representativeId }];
      }),
    );
    const next = { ...state, companies: state.companies + count };
    return (await advance(database, state, next, (tx) => insertCompanies(tx, made))) ? next : undefined;
  };

  const tell = async (state: SeedState): Promise<boolean> => {
    const { people, companies } = state;
    const details = { people: people - state.peopleTold, companies: companies - state.companiesTold };
    if (details.people + details.companies === 0) return true;
    const told = { people, companies, peopleTold: people, companiesTold: companies };
    return advance(database, state, told, (tx) => ledger.append(tx, { type: 'demo.seeded', details }));
  };

  return {
    async run(request) {
      const { people, companies, signal, progress } = request;
      await database.run(BEGIN, [STATE, JSON.stringify(NOTHING)]);
      const before = await stateIn(database);
      if (companies > 0 && before.people + people === 0) return { state: 'nobody' };
      let state = before;
      progress('people', 0);
      for (let done = 0; done < people && !signal.aborted; done = state.people - before.people) {
        const next = await seedPeople(state, done, request);
        if (next === undefined) return { state: 'elsewhere' };
        state = next;
        progress('people', state.people - before.people);
      }
      progress('companies', 0);
      for (let done = 0; done < companies && !signal.aborted; done = state.companies - before.companies) {
        const next = await seedCompanies(state, Math.min(BATCH, companies - done));
        if (next === undefined) return { state: 'elsewhere' };
        state = next;
        progress('companies', state.companies - before.companies);
      }
      if (!(await tell(state))) return { state: 'elsewhere' };
      return {
        state: signal.aborted ? 'stopped' : 'done',
        people: state.people - before.people,
        companies: state.companies - before.companies,
        total: state,
      };
    },
  };
}
