import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomToken } from '../src/shared/random.ts';
import { OUR_ENDPOINTS } from './endpoints.ts';
import { openEngineSpace, POSTGRES_URL } from './engine-space.ts';
import type { Client, Person, Running } from './peers.ts';
import { freePort, runCommand, ServerProcess } from './server-process.ts';

const SECRET_CHARACTERS = 43;
const REDIRECT_URI = 'https://portal.example/callback';
const PASSWORD = 'correct-horse-battery';

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

/** Two nodes of one house on a PostgreSQL schema of their own and a Redis, or on one SQLite file, with this many people and a portal. */
export async function startTwoNodes(servers: Servers | 'sqlite', identifiers: readonly string[]): Promise<TwoNodes> {
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
    const client = await prepare(folder, people, env);
    for (const own of places) {
      const node = nodeAt({ ...shared, ...own }, client, people);
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

async function prepare(
  folder: string,
  people: readonly Person[],
  env: Readonly<Record<string, string>>,
): Promise<Client> {
  const file = join(folder, 'client.json');
  const record = {
    client_id: 'business-start-up',
    client_name: 'Drill portal',
    accepts_subjects: ['natural', 'legal'],
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code', 'refresh_token'],
    scope: 'openid profile offline_access',
  };
  await writeFile(file, JSON.stringify(record));
  const added = JSON.parse(await runCommand(['src/main.ts', 'client', 'add', file, '--json'], env)) as {
    client_id: string;
    client_secret: string;
  };
  for (const { identifier, password } of people) {
    const args = [
      'person',
      'add',
      '--id-number',
      identifier,
      '--name',
      '测试',
      '--ial',
      '2',
      '--password-stdin',
      '--json',
    ];
    await runCommand(['src/main.ts', ...args], env, password);
  }
  return { id: added.client_id, secret: added.client_secret, redirectUri: REDIRECT_URI };
}

/** A node that does not run yet. */
function nodeAt(env: Readonly<Record<string, string>>, client: Client, people: readonly Person[]): Node {
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
      server = new ServerProcess(['src/main.ts', 'serve'], env);
      await server.untilReady(origin, ['/health/ready']);
    },
    restart: async () => 0,
    stop: async () => {},
  };
}
