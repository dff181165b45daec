import { createClient, createCluster, createSentinel } from 'redis';
import { Fault } from '../shared/fault.ts';

const RECONNECT_WAIT_MS_MAX = 1_000;
const QUEUE_MAX = 20_000;
/** A connection nothing comes back on is given up and made anew; the pings see to it that a healthy one is never silent as long. */
const PING_MS = 4_000;
const SILENT_MS_MAX = 12_000;
const SENTINEL_PORT = 26_379;
/**
 * No time limit by the client: it would end when a command is sent, ours (redis-client.ts) ends with the answer, and each of its own costs a signal
 * that fires five seconds later for nobody.
 */
const COMMAND_OPTIONS = { timeout: 0 };

export type RedisTopology = 'single' | 'cluster' | 'sentinel';

export interface RedisOptions {
  /** Addresses, separated by commas: of the server, of some nodes of the cluster, or of the Sentinels. `rediss:` means TLS. */
  readonly url: string;
  readonly topology?: RedisTopology;
  /** Under which name the Sentinels know the primary. */
  readonly primary?: string;
  /** For the servers themselves, where they are not those of the address; empty means none. */
  readonly user?: string;
  readonly password?: string;
  /** PEM of the authorities that may vouch for the servers; without it, those of the system. */
  readonly authorities?: string | undefined;
  readonly connectTimeoutMs?: number;
  readonly commandTimeoutMs?: number;
  /** Told when Redis is given up for the time being, and when it is back. */
  readonly onChange?: (isAway: boolean) => void;
}

/** What is common to one server, a cluster, and a primary behind Sentinels. */
export interface RawRedis {
  connect(): Promise<unknown>;
  send(key: string, args: readonly string[]): Promise<unknown>;
  close(): Promise<unknown>;
  /** What went wrong with a connection last, in the words of who noticed: the client tries again, and whoever waits for it learns only that nothing came. */
  trouble(): Error | undefined;
}

interface Credentials {
  readonly username?: string;
  readonly password?: string;
}

/** A client of the `redis` package for this topology, not yet connected. Its own reconnecting goes on behind it. */
export function createRawRedis(options: RedisOptions): RawRedis {
  const addresses = options.url.split(',').map((url) => new URL(url.trim()));
  const common = { ...credentialsOf(addresses[0]!, options), ...connectionOf(addresses[0]!, options) };
  switch (options.topology ?? 'single') {
    case 'single':
      return singleRedis(options.url, common);
    case 'cluster':
      return clusterRedis(addresses, common);
    case 'sentinel':
      return sentinelRedis(addresses, options, common);
  }
}

type Common = ReturnType<typeof connectionOf> & Credentials;

function connectionOf(address: URL, { authorities, connectTimeoutMs }: RedisOptions) {
  const reconnectStrategy = (retries: number): number => Math.min(50 * (retries + 1), RECONNECT_WAIT_MS_MAX);
  return {
    disableOfflineQueue: true,
    commandOptions: COMMAND_OPTIONS,
    commandsQueueMaxLength: QUEUE_MAX,
    pingInterval: PING_MS,
    socket: {
      ...(connectTimeoutMs === undefined ? {} : { connectTimeout: connectTimeoutMs }),
      socketTimeout: SILENT_MS_MAX,
      reconnectStrategy,
      ...(address.protocol === 'rediss:' ? { tls: true as const, ...(authorities ? { ca: authorities } : {}) } : {}),
    },
  };
}

function credentialsOf(address: URL, { user, password }: RedisOptions): Credentials {
  const username = user || decodeURIComponent(address.username);
  const secret = password || decodeURIComponent(address.password);
  return { ...(username ? { username } : {}), ...(secret ? { password: secret } : {}) };
}

/** Every command of a broken connection fails by itself; without a listener the event would end the process. */
function troubleOf(client: { on(event: 'error', listener: (error: unknown) => void): unknown }): RawRedis['trouble'] {
  let last: Error | undefined;
  client.on('error', (error) => {
    if (error instanceof Error) last = error;
  });
  return () => last;
}

function singleRedis(url: string, common: Common): RawRedis {
  const client = createClient({ url, ...common });
  const trouble = troubleOf(client);
  return {
    trouble,
    connect: () => client.connect(),
    send: (_key, args) => client.sendCommand(args),
    close: async () => client.destroy(),
  };
}

function clusterRedis(addresses: readonly URL[], common: Common): RawRedis {
  const cluster = createCluster({
    rootNodes: addresses.map(({ href }) => ({ url: href, ...common })),
    defaults: common,
    commandOptions: COMMAND_OPTIONS,
  });
  const trouble = troubleOf(cluster);
  return {
    trouble,
    connect: () => cluster.connect(),
    send: (key, args) => cluster.sendCommand(key, false, [...args]),
    close: async () => cluster.destroy(),
  };
}

function sentinelRedis(addresses: readonly URL[], options: RedisOptions, common: Common): RawRedis {
  if (!options.primary) throw new Fault('internal', 'the name of the primary is missing');
  const { username: _user, password: _password, ...connection } = common;
  const sentinel = createSentinel({
    name: options.primary,
    sentinelRootNodes: addresses.map(({ hostname, port }) => ({ host: hostname, port: Number(port || SENTINEL_PORT) })),
    sentinelClientOptions: { ...connection, ...credentialsOf(addresses[0]!, { url: '' }) },
    nodeClientOptions: { ...connection, ...credentialsOf(new URL('redis://none'), options) },
    // One connection for all commands, as to a single server: leases of a pool are lost when many commands begin in one turn (6.3.1).
    reserveClient: true,
    commandOptions: COMMAND_OPTIONS,
    scanInterval: 1_000,
  });
  const trouble = troubleOf(sentinel);
  return {
    trouble,
    connect: () => sentinel.connect(),
    send: (_key, args) => sentinel.sendCommand(false, [...args]),
    close: async () => sentinel.destroy(),
  };
}
