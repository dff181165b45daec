import type { Config } from '../src/config/schema.ts';
import { NO_HASH } from './peers.ts';

/**
 * What a password costs in a drill (`--hash`). `real`: what the settings of the drill say, and the server is the product. `least`: as good as
 * nothing, by a server that only the bench has (altered-server.ts), for drills that are about stores and failures at rates which hashing
 * alone would take more processors for than a machine of two has.
 */
export interface DrillHash {
  readonly name: 'real' | 'least';
  /** The program that serves. */
  readonly program: readonly string[];
  /** What stands beside the figures. */
  readonly sentence: string;
}

const HASHES: Readonly<Record<DrillHash['name'], DrillHash>> = {
  real: {
    name: 'real',
    program: ['src/main.js', 'serve'],
    sentence: 'passwords: Argon2id with 7 MiB and one pass, the least a server can be told',
  },
  least: {
    name: 'least',
    program: ['bench/altered-server.ts', '--without', 'hash'],
    sentence:
      'passwords: a hash of 8 KiB that costs nothing, which no server can be told; these figures are of stores and failures',
  },
};

/** What `--hash` names. Throws with a sentence for anything else. */
export function drillHash(name: string): DrillHash {
  const hash = name === 'real' || name === 'least' ? HASHES[name] : undefined;
  if (hash === undefined) throw new Error('--hash is real or least');
  return hash;
}

/** The same settings with a hash as cheap as that, past the schema, which refuses it. */
export function withoutHash(config: Config): Config {
  const { memoryKib, iterations } = NO_HASH;
  return { ...config, password: { ...config.password, memoryKib, iterations } };
}
