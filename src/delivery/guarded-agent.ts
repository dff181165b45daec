import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Fault } from '../shared/fault.ts';
import { isSpecialUse } from './special-addresses.ts';

/** The type under which Node's fetch takes its connection pool. */
export type Dispatcher = NonNullable<RequestInit['dispatcher']>;

/** Raised inside a connect and found again as the cause of a failed fetch. */
export class SpecialAddressError extends Error {
  override readonly name = 'SpecialAddressError';
}

const KEEP_ALIVE_MS = 4_000;

/**
 * A connection pool that opens no socket to an address of special use. Names are judged by the very addresses that are then connected
 * to, so an answer that changes between look-up and connect (DNS rebinding) gains nothing; one special address among the
 * answers refuses them all. A numeric host never reaches the look-up: the caller judges it before.
 * Node hides its Agent class behind the pool that its fetch uses by default; without it we refuse to start rather than fetch unguarded.
 */
export function createGuardedAgent(options: {
  readonly lookup?: LookupFunction;
  readonly connectTimeoutMs: number;
}): Dispatcher {
  const { lookup = systemLookup as LookupFunction, connectTimeoutMs } = options;
  const guarded: LookupFunction = (hostname, lookupOptions, callback) => {
    lookup(hostname, { ...lookupOptions, all: true }, (error, answer) => {
      if (error !== null) return callback(error, '');
      const addresses = Array.isArray(answer) ? answer : [];
      if (addresses.length === 0 || addresses.some(({ address }) => isSpecialUse(address))) {
        return callback(new SpecialAddressError('the host has an address of special use'), '');
      }
      if (lookupOptions.all === true) return callback(null, addresses);
      const [first] = addresses;
      callback(null, first!.address, first!.family);
    });
  };
  const Agent = agentClass();
  return new Agent({ connect: { lookup: guarded, timeout: connectTimeoutMs }, keepAliveTimeout: KEEP_ALIVE_MS });
}

/** Who we are in TLS, and whom we believe: PEM texts. `authority` replaces the public ones. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

/** A connection pool that shows a client certificate and believes one authority alone (mutual TLS, from TLS 1.2 on). */
export function createIdentifiedAgent(options: {
  readonly identity: TlsIdentity;
  readonly connectTimeoutMs: number;
}): Dispatcher {
  const { certificate, key, authority } = options.identity;
  const Agent = agentClass();
  const tls = { cert: certificate, key, ca: authority, minVersion: 'TLSv1.2' } as const;
  return new Agent({ connect: { ...tls, timeout: options.connectTimeoutMs }, keepAliveTimeout: KEEP_ALIVE_MS });
}

type AgentClass = new (options: {
  readonly connect: ConnectionOptions & { readonly lookup?: LookupFunction; readonly timeout: number };
  readonly keepAliveTimeout: number;
}) => Dispatcher;

function agentClass(): AgentClass {
  // Reading the global loads Node's bundled fetch, which registers its default pool.
  void globalThis.Response;
  const pools = globalThis as unknown as Record<symbol, object | undefined>;
  const pool = pools[Symbol.for('undici.globalDispatcher.2')] ?? pools[Symbol.for('undici.globalDispatcher.1')];
  const found = pool?.constructor;
  if (found === undefined || found.name !== 'Agent') {
    throw new Fault(
      'internal',
      'the connection pool of fetch is not an Agent: outbound addresses could not be guarded',
    );
  }
  return found as AgentClass;
}
