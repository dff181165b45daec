import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nowMs } from '../src/shared/clock.ts';
import { DISCOVERY, type Endpoints, readEndpoints } from './endpoints.ts';
import { type EngineName, type EngineServers, type RedisBytes, spaceOf } from './engine-space.ts';
import { furnish } from './furnish.ts';
import { freePort, ServerProcess } from './server-process.ts';

/** Cost of one password hash (Argon2id, one lane). */
export interface HashCost {
  readonly memoryKib: number;
  readonly iterations: number;
}

/** What the product uses by default for people, and the least a server can be told to use. */
export const FULL_HASH: HashCost = { memoryKib: 19_456, iterations: 2 };
export const LEAST_HASH: HashCost = { memoryKib: 7168, iterations: 1 };
/**
 * As good as none: the least the algorithm allows (RFC 9106 section 3.1), some twenty microseconds. What a dear hash takes cannot be
 * measured elsewhere and taken off: four at once in the bare server cost more each than one at a time in ours or in a loop.
 */
export const NO_HASH: HashCost = { memoryKib: 8, iterations: 1 };

export interface Person {
  readonly identifier: string;
  readonly password: string;
  /** What their authenticator app shows, if they have one; each call gives another code. */
  readonly code?: () => string;
}

export interface Client {
  readonly id: string;
  readonly secret: string;
  readonly redirectUri: string;
}

/** A server under measurement: its process, where it listens, and who may sign in to which portal. */
export interface Running {
  readonly name: PeerName;
  readonly origin: URL;
  /** Undefined for a server somebody else started. */
  readonly process: ServerProcess | undefined;
  readonly endpoints: Endpoints;
  readonly client: Client;
  readonly people: readonly Person[];
  /** Stops the process and starts it again on the same data; gives the milliseconds from the spawn until it was ready. */
  readonly restart: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

/** A server we started ourselves. */
export interface Started extends Running {
  readonly process: ServerProcess;
  /** The settings it runs with. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** What its keys take of Redis; undefined where there is no Redis. */
  readonly redisBytes?: (() => Promise<RedisBytes>) | undefined;
}

export type PeerName = 'ours' | 'bare';

export interface PeerOptions {
  /** Members of the portal's record in place of the usual ones. Ours only. */
  readonly portal?: Readonly<Record<string, unknown>>;
  readonly hash: HashCost;
  readonly peopleCount: number;
  readonly nodeArguments?: readonly string[];
  /** Parts taken out of the product (altered-server.ts) besides the hash, which goes where it costs nothing. Ours only. */
  readonly without?: readonly 'ledger'[];
  /** How many processes of it serve; one unless told. Ours only. */
  readonly workers?: number;
  /** Environment on top of the usual one. Ours only. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where the product keeps what it keeps; SQLite unless told. Ours only. */
  readonly engine?: EngineName | EngineServers;
  /** A data folder that is there already and stays, with people in it; nobody is added. Ours only. */
  readonly store?: { readonly folder: string; readonly people: readonly Person[] };
}

export const PASSWORD = 'correct-horse-battery';
export const REDIRECT_URI = 'https://portal.example/callback';
const READY_PATHS = ['/health/ready', DISCOVERY];

const CLIENT_METADATA = {
  client_name: 'Bench portal',
  redirect_uris: [REDIRECT_URI],
  grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
  response_types: ['code'],
  scope: 'openid profile offline_access',
  subject_type: 'pairwise',
  token_endpoint_auth_method: 'client_secret_basic',
  id_token_signed_response_alg: 'ES256',
} as const;

/** Starts a peer with its people and its portal prepared, and waits until it answers. */
export function startPeer(name: PeerName, options: PeerOptions): Promise<Started> {
  return name === 'bare' ? startBare(options) : startProduct(options);
}

/** Starts several at once, in the order of `names`; when one cannot start, those that could are stopped again. */
export async function startTogether(names: readonly PeerName[], options: PeerOptions): Promise<readonly Started[]> {
  const outcomes = await Promise.allSettled(names.map((name) => startPeer(name, options)));
  const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return started;
  await Promise.all(started.map((server) => server.stop()));
  throw failed.reason;
}

async function startBare(options: PeerOptions): Promise<Started> {
  const port = await freePort();
  const client: Client = {
    id: 'bench-portal',
    secret: 'bench-secret-of-forty-three-characters-long',
    redirectUri: REDIRECT_URI,
  };
  const metadata = JSON.stringify({ ...CLIENT_METADATA, client_id: client.id, client_secret: client.secret });
  const args = [
    ...(options.nodeArguments ?? []),
    ...['bench/bare-provider.ts', '--port', String(port), '--client', metadata],
    ...['--hash-memory-kib', String(options.hash.memoryKib), '--hash-iterations', String(options.hash.iterations)],
  ];
  const people = Array.from({ length: options.peopleCount }, (_, n) => personOf(n));
  return run(
    'bare',
    new URL(`http://127.0.0.1:${port}`),
    () => new ServerProcess(args, {}),
    client,
    people,
    async () => {},
  );
}

async function startProduct(options: PeerOptions): Promise<Started> {
  const port = await freePort();
  const origin = new URL(`http://127.0.0.1:${port}`);
  const space = await spaceOf(options.engine);
  const folder = await mkdtemp(join(tmpdir(), 'tongban-bench-'));
  const without = [...(options.without ?? []), ...(options.hash === NO_HASH ? ['hash'] : [])];
  const { memoryKib, iterations } = options.hash === NO_HASH ? LEAST_HASH : options.hash;
  const env = {
    ...space?.env,
    TONGBAN_PROFILE: 'test',
    TONGBAN_WORKERS: String(options.workers ?? 1),
    TONGBAN_HOST: '127.0.0.1',
    TONGBAN_PORT: String(port),
    TONGBAN_ISSUER: origin.origin,
    TONGBAN_DATA_DIR: options.store?.folder ?? join(folder, 'data'),
    TONGBAN_PASSWORD_MEMORY_KIB: String(memoryKib),
    TONGBAN_PASSWORD_ITERATIONS: String(iterations),
    TONGBAN_PASSWORD_PARALLELISM: '1',
    // Written to disk as in production; the limits a single address would run into stay out of the way.
    TONGBAN_LOG_DESTINATION: 'file',
    TONGBAN_HTTP_CONNECTIONS_PER_ADDRESS_MAX: '2000',
    // Seeded people are up to a hundred years old; each signs in with the password alone.
    TONGBAN_DEFENCE_ELDER_FROM_YEARS: '120',
    TONGBAN_LIMITS_FAILURES_PER_ACCOUNT: '100',
    TONGBAN_LIMITS_FAILURES_PER_ADDRESS: '1000000',
    TONGBAN_LIMITS_FAILURES_PER_NETWORK: '1000000',
    TONGBAN_LIMITS_REGISTRATIONS_PER_ADDRESS: '1000000',
    TONGBAN_RECHECK_WINDOW: farFromNow(),
    ...options.settings,
  };
  const cleanUp = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true });
    await space?.remove();
  };
  const program =
    without.length === 0
      ? ['src/main.js', 'serve']
      : ['bench/altered-server.ts', ...without.flatMap((part) => ['--without', part])];
  const launch = (): ServerProcess => new ServerProcess([...(options.nodeArguments ?? []), ...program], env);
  const people = options.store?.people ?? Array.from({ length: options.peopleCount }, (_, n) => personOf(n));
  try {
    const known = await furnish({
      env,
      hash: options.hash,
      people: options.store ? [] : people,
      portal: { ...CLIENT_METADATA, ...options.portal },
    });
    const client = { ...known, redirectUri: REDIRECT_URI };
    return await run('ours', origin, launch, client, people, cleanUp, { env, redisBytes: space?.redisBytes });
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

/** A window (Beijing time) that is twelve hours away: what the house does of a night is no part of an operation, whenever somebody measures. */
function farFromNow(): string {
  const hour = (new Date(nowMs()).getUTCHours() + 8 + 12) % 24;
  const text = String(hour).padStart(2, '0');
  return `${text}:00-${text}:30`;
}

async function run(
  name: PeerName,
  origin: URL,
  launch: () => ServerProcess,
  client: Client,
  people: readonly Person[],
  cleanUp: () => Promise<void>,
  own: Pick<Started, 'env' | 'redisBytes'> = {},
): Promise<Started> {
  let server = launch();
  try {
    await server.untilReady(origin, READY_PATHS);
    const endpoints = await readEndpoints(origin);
    return {
      name,
      origin,
      get process() {
        return server;
      },
      endpoints,
      client,
      people,
      ...own,
      restart: async () => {
        await server.stop();
        server = launch();
        return server.untilReady(origin, READY_PATHS);
      },
      stop: async () => {
        await server.stop();
        await cleanUp();
      },
    };
  } catch (error) {
    await server.stop();
    await cleanUp();
    throw error;
  }
}

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/** The same, with a name and a phone of their own, for drills that ask about people. */
export const inventedPerson = (n: number): Person & { readonly name: string; readonly phone: string } => ({
  ...personOf(n),
  name: `测试${n}`,
  phone: `138${String(n).padStart(8, '0')}`,
});

/** The n-th invented person. The number is well formed (GB 11643, check digit by ISO 7064 MOD 11-2) and belongs to nobody. */
function personOf(n: number): Person {
  const body = `110000199${n >= 1000 ? 1 : 0}0101${String(n % 1000).padStart(3, '0')}`;
  const sum = [...body].reduce((total, digit, index) => total + Number(digit) * WEIGHTS[index]!, 0);
  return { identifier: body + '10X98765432'[sum % 11], password: PASSWORD };
}
