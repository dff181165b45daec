import { createClient } from 'redis';
import { command, type RedisCommands } from './redis-script.ts';

const CONNECT_TIMEOUT_MS = 3_000;
const COMMAND_TIMEOUT_MS = 2_000;
const RECONNECT_WAIT_MS_MAX = 1_000;
const QUEUE_MAX = 20_000;

export interface RedisConnection extends RedisCommands {
  close(): Promise<void>;
}

/**
 * Connects to Redis. While the connection is lost commands fail at once instead of waiting in a queue: the caller answers 503 or
 * falls back, and the client reconnects behind it. Throws `Fault('storage_unavailable')` when Redis does not answer at the start.
 */
export async function connectRedis({ url }: { readonly url: string }): Promise<RedisConnection> {
  let connected = false;
  const client = createClient({
    url,
    disableOfflineQueue: true,
    commandsQueueMaxLength: QUEUE_MAX,
    commandOptions: { timeout: COMMAND_TIMEOUT_MS },
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectStrategy: (retries) => (connected ? Math.min(50 * (retries + 1), RECONNECT_WAIT_MS_MAX) : false),
    },
  });
  // Every command of a broken connection fails by itself; without a listener the event would end the process.
  client.on('error', () => {});
  const connection: RedisConnection = {
    sendCommand: (args) => client.sendCommand(args),
    close: () => client.close(),
  };
  await client.connect().catch((error: unknown) => command({ sendCommand: () => Promise.reject(error) }, []));
  connected = true;
  return connection;
}
