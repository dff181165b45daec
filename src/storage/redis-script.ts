import { unavailable } from './storage-errors.ts';

/** What we ask of a Redis client: clients of the `redis` package have it. */
export interface RedisCommands {
  sendCommand(args: readonly string[]): Promise<unknown>;
}

/** Sends one command. Whatever goes wrong on the way is `Fault('storage_unavailable')`. */
export async function command(client: RedisCommands, args: readonly string[]): Promise<unknown> {
  try {
    return await client.sendCommand(args);
  } catch (error) {
    throw unavailable('Redis did not carry out a command', error);
  }
}

/** A script that Redis keeps and runs by its digest; loaded again after Redis forgot it (restart, failover). */
export class RedisScript {
  readonly #text: string;
  #digest: string | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** Runs the script in one step, unseen half-done by others. */
  async run(client: RedisCommands, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    this.#digest ??= await this.#load(client);
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await client.sendCommand(['EVALSHA', this.#digest, ...rest]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) {
        throw unavailable('Redis did not carry out a script', error);
      }
    }
    this.#digest = await this.#load(client);
    return command(client, ['EVALSHA', this.#digest, ...rest]);
  }

  async #load(client: RedisCommands): Promise<string> {
    return (await command(client, ['SCRIPT', 'LOAD', this.#text])) as string;
  }
}
