import { parseArgs } from 'node:util';
import { ENGINES, type EngineName } from './engine-space.ts';
import type { PeerName } from './peers.ts';

/** What `npm run bench` says of itself. */
export const USAGE = `npm run bench -- [--quick] [--only NAME]... [--peer ours|bare] [--engine sqlite|postgres-redis] [--json FILE]
npm run bench -- --scale [--people 1000000] [--stores FOLDER] [--json FILE]
npm run bench -- --scale --engine postgres [--people 10000000] [--postgres URL] [--quick] [--json FILE]
npm run bench -- --crypto
npm run bench -- --workers 2 [--engine sqlite|postgres-redis] [--quick]
npm run bench -- --footprint

--quick      within 50 seconds, where the machine is its own
--only       what is measured, by a part of its name; may be said several times
--peer       one side alone: the product, or the bare protocol library
--engine     where the product keeps what it keeps; on PostgreSQL and Redis of this machine it has other bars
--json       the figures as a file besides
--scale      nothing but this: a store of a thousand people beside one of a million. On PostgreSQL ten thousand beside a million, or ten
--people     how many the large store holds
--stores     where both stay for the next run; on PostgreSQL --postgres names the server they stay in
--crypto     nothing but this: the rates of the cryptography, without a server
--workers    nothing but this: sign-ins of so many workers beside those of one
--footprint  nothing but this: what the product takes of a PostgreSQL and a Redis
`;

export interface BenchOptions {
  readonly quick: boolean;
  readonly only: readonly string[];
  readonly peers: readonly PeerName[];
  /** `postgres` is for `scale` alone. */
  readonly engine: EngineName | 'postgres';
  readonly json: string | undefined;
  readonly scale: boolean;
  readonly people: number;
  readonly stores: string | undefined;
  readonly postgres: string | undefined;
  readonly crypto: boolean;
  readonly workers: number | undefined;
  readonly footprint: boolean;
}

const PEERS: readonly PeerName[] = ['ours', 'bare'];
const PEOPLE_MAX = 100_000_000;
const WORKERS_MAX = 64;

/** Says what is wrong with a command line, for whoever typed it. */
export class UsageError extends Error {}

/**
 * Reads the command line of the bench; undefined where it asks what there is to say. `names`: all that can be measured. Throws `UsageError` for what
 * is no option, has no such value, or names nothing: to measure nothing and call it well is worse than no answer.
 */
export function readOptions(args: readonly string[], names: readonly string[]): BenchOptions | undefined {
  const values = valuesOf(args);
  if (values.help) return undefined;
  for (const part of values.only) {
    if (part !== '' && names.some((name) => isMeant(name, part))) continue;
    throw new UsageError(`Nothing that is measured is called ${JSON.stringify(part)}. There are: ${names.join('; ')}.`);
  }
  const engine = [...ENGINES, 'postgres' as const].find((name) => name === values.engine);
  if (engine === undefined || (engine === 'postgres' && !values.scale)) {
    throw new UsageError(`--engine is one of ${ENGINES.join(', ')}; postgres goes with --scale.`);
  }
  const peers = values.peer === undefined ? PEERS : PEERS.filter((name) => name === values.peer);
  if (peers.length === 0) throw new UsageError(`--peer is one of ${PEERS.join(', ')}.`);
  return {
    ...values,
    engine,
    peers,
    json: values.json,
    stores: values.stores,
    postgres: values.postgres,
    people: wholeNumber('people', values.people, PEOPLE_MAX),
    workers: values.workers === undefined ? undefined : wholeNumber('workers', values.workers, WORKERS_MAX),
  };
}

/** Whether `--only part` means what is called `name`. */
export const isMeant = (name: string, part: string): boolean => name.toLowerCase().includes(part.toLowerCase());

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        peer: { type: 'string' },
        engine: { type: 'string', default: 'sqlite' },
        json: { type: 'string' },
        scale: { type: 'boolean', default: false },
        people: { type: 'string', default: '1000000' },
        stores: { type: 'string' },
        crypto: { type: 'boolean', default: false },
        workers: { type: 'string' },
        footprint: { type: 'boolean', default: false },
        postgres: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(option: string, value: string, max: number): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1 && number <= max) return number;
  throw new UsageError(`--${option} is a whole number from 1 to ${max}.`);
}
