import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { randomToken } from '../src/shared/random.ts';
import { type Client, OUR_ENDPOINTS, type Person, type Running } from './peers.ts';
import { freePort, runCommand, ServerProcess } from './server-process.ts';

const POSTGRES = 'postgres://postgres@127.0.0.1:5432/test';
const SECRET_CHARACTERS = 43;
const REDIRECT_URI = 'https://portal.example/callback';
const PASSWORD = 'correct-horse-battery';

export type Node = Running & { readonly process: ServerProcess };

export interface TwoNodes {
  readonly nodes: readonly [Node, Node];
  readonly stop: () => Promise<void>;
}

/** Two nodes of one house on a PostgreSQL schema of their own and a Redis, with this many people and a portal. */
export async function startTwoNodes(redisUrl: string, identifiers: readonly string[]): Promise<TwoNodes> {
  const folder = await mkdtemp(join(tmpdir(), 'tongban-nodes-'));
  const schema = `tongban_${randomToken(12).toLowerCase().replaceAll('-', '_')}`;
  await administer(`CREATE SCHEMA ${schema}`);
  const secret = (): string => randomToken(SECRET_CHARACTERS);
  const shared = {
    TONGBAN_PROFILE: 'test',
    TONGBAN_HOST: '127.0.0.1',
    TONGBAN_DATABASE_URL: `${POSTGRES}?options=${encodeURIComponent(`-c search_path=${schema}`)}`,
    TONGBAN_REDIS_URL: redisUrl,
    TONGBAN_REDIS_PREFIX: `drill-${randomToken(8)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '0')}`,
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
  const started: ServerProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const server of started) await server.stop();
    await administer(`DROP SCHEMA ${schema} CASCADE`);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const people = identifiers.map((identifier) => ({ identifier, password: PASSWORD }));
    const places = [await place(folder, 'one'), await place(folder, 'other')] as const;
    const client = await prepare(folder, people, { ...shared, ...places[0] });
    const nodes: Node[] = [];
    for (const own of places) {
      const server = new ServerProcess(['src/main.ts', 'serve'], { ...shared, ...own });
      started.push(server);
      const origin = new URL(own.TONGBAN_ISSUER);
      await server.untilReady(origin, ['/health/ready']);
      nodes.push(nodeAt(origin, server, client, people));
    }
    return { nodes: [nodes[0]!, nodes[1]!], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: POSTGRES });
  await client.connect();
  await client.query(statement);
  await client.end();
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
    client_name: 'Drill portal',
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
    const args = ['person', 'add', '--id-number', identifier, '--name', '测试', '--password-stdin', '--json'];
    await runCommand(['src/main.ts', ...args], env, password);
  }
  return { id: added.client_id, secret: added.client_secret, redirectUri: REDIRECT_URI };
}

const nodeAt = (origin: URL, process: ServerProcess, client: Client, people: readonly Person[]): Node => ({
  name: 'ours',
  origin,
  process,
  endpoints: OUR_ENDPOINTS,
  client,
  people,
  restart: async () => 0,
  stop: async () => {},
});
