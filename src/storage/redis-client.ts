import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorReply } from 'redis';
import type { RedisCommands } from './redis-script.ts';
import { createRawRedis, type RawRedis, type RedisOptions } from './redis-topology.ts';
import { unavailable } from './storage-errors.ts';

const CONNECT_TIMEOUT_MS = 3_000;
const COMMAND_TIMEOUT_MS = 500;
const PROBE_WAIT_MS = 100;
const REASON_LENGTH_MAX = 200;
const PROBE_KEY = 'tongban:probe';
/** Answers of a server that lives and cannot serve: loading, a replica, a cluster without a slot, full. */
const CANNOT_SERVE = /^(LOADING|CLUSTERDOWN|MASTERDOWN|READONLY|TRYAGAIN|BUSY|OOM|MISCONF|NOREPLICAS)/;

export interface RedisConnection extends RedisCommands {
  /** Asks for nothing but an answer. */
  ask(): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Connects to Redis. A command that is not answered in time, or whose connection breaks, fails, and from then on all fail at once:
 * the caller turns to SQL, while somebody here asks ten times a second whether Redis is back. So a server that hangs costs each
 * request one time-out at most. Throws `Fault('storage_unavailable')` when Redis does not answer at the start: a wrong address
 * must be heard of then.
 */
export async function connectRedis(options: RedisOptions): Promise<RedisConnection> {
  const connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const commandTimeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
  const raw = createRawRedis({ ...options, connectTimeoutMs });
  let away = false;
  let closed = false;

  const probe = (): Promise<unknown> =>
    inTime(raw.send(PROBE_KEY, ['SET', PROBE_KEY, '1', 'EX', '10']), commandTimeoutMs);
  const watchForReturn = async (): Promise<void> => {
    while (away && !closed) {
      await sleep(PROBE_WAIT_MS, undefined, { ref: false });
      const isBack = await probe().then(
        () => true,
        () => false,
      );
      if (!isBack || closed) continue;
      away = false;
      options.onChange?.(false);
    }
  };
  const leave = (): void => {
    if (away || closed) return;
    away = true;
    options.onChange?.(true);
    void watchForReturn();
  };

  await inTime(start(raw, probe), connectTimeoutMs).catch(async (error: unknown) => {
    // Whatever closing says of a connection that never stood: the start fails for the reason above it.
    await raw.close().catch(() => {});
    const { message = '' } = raw.trouble() ?? {};
    const reason = message === '' ? '' : `: ${message.slice(0, REASON_LENGTH_MAX)}`;
    throw unavailable(`Redis does not answer at the address configured${reason}`, error);
  });
  const sendCommand: RedisConnection['sendCommand'] = async (key, args) => {
    if (away) throw unavailable('Redis is away');
    try {
      return await inTime(raw.send(key, args), commandTimeoutMs);
    } catch (error) {
      if (!(error instanceof ErrorReply) || CANNOT_SERVE.test(error.message)) leave();
      throw error;
    }
  };
  return {
    isAway: () => away,
    ask: () => sendCommand(PROBE_KEY, ['GET', PROBE_KEY]),
    sendCommand,
    async close() {
      closed = true;
      await raw.close();
    },
  };
}

async function start(raw: RawRedis, probe: () => Promise<unknown>): Promise<void> {
  await raw.connect();
  await probe();
}

/** The client's own time limit ends when a command has been sent; a server that hangs is met after that. */
function inTime<T>(running: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new Error(`no answer within ${limitMs} ms`));
    // After the sockets have been read once more: where this process itself was busy the answer may lie there already.
    const timer = setTimeout(() => setImmediate(() => setImmediate(giveUp)), limitMs);
    running.then(
      (answer) => {
        clearTimeout(timer);
        resolve(answer);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
