import { createHash } from 'node:crypto';
import { unavailable } from './storage-errors.ts';

/** What we ask of a Redis connection. */
export interface RedisCommands {
  /** `key` leads to the node of a cluster that answers for it. */
  sendCommand(key: string, args: readonly string[]): Promise<unknown>;
  /** Whether Redis has been given up for the time being: every command fails at once. */
  isAway(): boolean;
}

/** Sends one command. Whatever goes wrong on the way is `Fault('storage_unavailable')`. */
export async function command(client: RedisCommands, key: string, args: readonly string[]): Promise<unknown> {
  try {
    return await client.sendCommand(key, args);
  } catch (error) {
    throw unavailable('Redis did not carry out a command', error);
  }
}

/**
 * A script that Redis keeps and runs by its digest. Where a server does not know it (the first time, another node of a cluster, after a
 * restart or failover) the whole text is sent, which makes it known.
 */
export class RedisScript {
  readonly #text: string;
  readonly #digest: string;

  constructor(text: string) {
    this.#text = text;
    // Redis names scripts by SHA-1; nothing secret and nothing trusted hangs on it.
    this.#digest = createHash('sha1').update(text).digest('hex');
  }

  /** Runs the script in one step, unseen half-done by others. All keys lie in the slot of the first. */
  async run(client: RedisCommands, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    const key = keys[0]!;
    try {
      return await client.sendCommand(key, ['EVALSHA', this.#digest, ...rest]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) {
        throw unavailable('Redis did not carry out a script', error);
      }
    }
    return command(client, key, ['EVAL', this.#text, ...rest]);
  }
}
