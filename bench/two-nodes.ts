import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { parseIdNumber } from '../src/people/id-number.ts';
import { randomToken } from '../src/shared/random.ts';
import { type DrillHash, drillHash, withoutHash } from './drill-hash.ts';
import { OUR_ENDPOINTS } from './endpoints.ts';
import { openEngineSpace, POSTGRES_URL } from './engine-space.ts';
import type { Client, Person, Running } from './peers.ts';
import { freePort, ServerProcess } from './server-process.ts';

const SECRET_CHARACTERS = 43;
/** On a machine that has much else to do. */
const READY_MS_MAX = 180_000;
const REDIRECT_URI = 'https://portal.example/callback';
const PASSWORD = 'correct-horse-battery';
const RECORD = {
  client_id: 'business-start-up',
  client_name: 'Drill portal',
  accepts_subjects: ['natural', 'legal'],
  redirect_uris: [REDIRECT_URI],
  grant_types: ['authorization_code', 'refresh_token'],
  scope: 'openid profile offline_access',
};

export type Node = Running & {
  readonly process: ServerProcess;
  /** Ends it without a word (SIGKILL). */
  readonly kill: () => Promise<void>;
  /** Starts it again after that; resolves when it is ready. */
  readonly start: () => Promise<void>;
};

export interface TwoNodes {
  readonly nodes: readonly [Node, Node];
  /** The settings of the first node, for commands and for a house opened beside it. */
  readonly env: Readonly<Record<string, string>>;
  readonly stop: () => Promise<void>;
}

export interface Servers {
  readonly redisUrl: string;
  readonly postgresUrl?: string;
}

/** Two nodes of one house on a PostgreSQL database of their own and a Redis, or on one SQLite file, with this many people and a portal. */
export async function startTwoNodes(
  servers: Servers | 'sqlite',
  identifiers: readonly string[],
  hash: DrillHash = drillHash('real'),
): Promise<TwoNodes> {
  const folder = await mkdtemp(join(tmpdir(), 'tongban-nodes-'));
  const space =
    servers === 'sqlite'
      ? { env: {}, remove: async () => {} }
      : await openEngineSpace(servers.postgresUrl ?? POSTGRES_URL, servers.redisUrl);
  const secret = (): string => randomToken(SECRET_CHARACTERS);
  const shared = {
    TONGBAN_PROFILE: 'test',
    TONGBAN_HOST: '127.0.0.1',
    ...space.env,
    TONGBAN_ENCRYPTION_KEY: secret(),
    TONGBAN_INDEX_KEY: secret(),
    TONGBAN_PEPPER: secret(),
    TONGBAN_PAIRWISE_SALT: secret(),
    TONGBAN_COOKIE_KEYS: secret(),
    TONGBAN_PASSWORD_MEMORY_KIB: '7168',
    TONGBAN_PASSWORD_ITERATIONS: '1',
    TONGBAN_PASSWORD_PARALLELISM: '1',
    TONGBAN_HTTP_CONNECTIONS_PER_ADDRESS_MAX: '2000',
    TONGBAN_LIMITS_FAILURES_PER_ACCOUNT: '100',
    TONGBAN_LIMITS_FAILURES_PER_ADDRESS: '1000000',
    TONGBAN_LIMITS_FAILURES_PER_NETWORK: '1000000',
    TONGBAN_DEFENCE_ELDER_FROM_YEARS: '120',
  };
  const nodes: Node[] = [];
  const stop = async (): Promise<void> => {
    for (const node of nodes) await node.process.stop();
    await space.remove();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const people = identifiers.map((identifier) => ({ identifier, password: PASSWORD }));
    const places = [await place(folder, 'one'), await place(folder, servers === 'sqlite' ? 'one' : 'other')] as const;
    const env = { ...shared, ...places[0] };
    const client = await prepare(people, hash, env);
    for (const own of places) {
      const node = nodeAt({ ...shared, ...own }, hash, client, people);
      nodes.push(node);
      await node.start();
    }
    return { nodes: [nodes[0]!, nodes[1]!], env, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function place(folder: string, name: string) {
  const port = await freePort();
  return {
    TONGBAN_PORT: String(port),
    TONGBAN_ISSUER: `http://127.0.0.1:${port}`,
    TONGBAN_DATA_DIR: join(folder, name),
  };
}

/** Makes the people and the portal known, by a house of this process: a command for each would take a second of its own. */
async function prepare(
  people: readonly Person[],
  hash: DrillHash,
  env: Readonly<Record<string, string>>,
): Promise<Client> {
  const prepared = prepareConfig({ env });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  const { config } = prepared;
  const house = await openHouse(hash.name === 'least' ? withoutHash(config) : config);
  try {
    const added = await house.relyingParties.add(RECORD, 'drill');
    if (!added.ok) throw new Error(JSON.stringify(added.faults));
    for (const { identifier, password } of people) {
      const parsed = parseIdNumber(identifier);
      const stored = await house.passwords.prepare(password);
      if (!parsed.ok || stored === 'busy') throw new Error(`${identifier} could not be added`);
      const person = await house.persons.add(
        { idNumber: parsed.number, name: '测试', ial: 2, origin: 'drill' },
        (tx, { id }) => house.passwords.store(tx, id, stored, 'drill'),
      );
      if (!person.ok) throw new Error(person.reason);
    }
    return { id: added.party.clientId, secret: added.secret ?? '', redirectUri: REDIRECT_URI };
  } finally {
    await house.close();
  }
}

/** A node that does not run yet. */
function nodeAt(
  env: Readonly<Record<string, string>>,
  hash: DrillHash,
  client: Client,
  people: readonly Person[],
): Node {
  const origin = new URL(env.TONGBAN_ISSUER!);
  let server: ServerProcess | undefined;
  const running = (): ServerProcess => {
    if (!server) throw new Error('the node was not started');
    return server;
  };
  return {
    name: 'ours',
    origin,
    get process() {
      return running();
    },
    endpoints: OUR_ENDPOINTS,
    client,
    people,
    kill: () => running().kill(),
    start: async () => {
      server = new ServerProcess(hash.program, env);
      await server.untilReady(origin, ['/health/ready'], READY_MS_MAX);
    },
    restart: async () => 0,
    stop: async () => {},
  };
}
