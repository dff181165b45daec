import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { CircuitRules } from '../../calling/circuit.ts';
import { GuardedCalls } from '../../calling/guarded-calls.ts';
import { Fault } from '../../shared/fault.ts';
import { randomSecret } from '../../shared/random.ts';
import { masterId } from '../master-keys.ts';
import { decryptSm2, readSm2PrivateKey, type Sm2PrivateKey, wipeSm2PrivateKey } from '../sm2/sm2.ts';
import { createQuestions } from './questions.ts';
import type { SignatureServerTransport } from './signature-server-transport.ts';

/** A master key as it may lie in a file: only the service opens it. */
export interface WrappedKey {
  /** The name of the key inside (master-keys.ts), by which a wrong answer is known. */
  readonly id: string;
  /** Which key of the service it is wrapped with. */
  readonly keyId: string;
  /** Hexadecimal digits, as the service made them. */
  readonly wrapped: string;
}

/**
 * A key service (key management system, or an adapter in front of a device in the manner of GM/T 0018): it holds the key that wraps master
 * keys and lets nobody have it. What it unwraps crosses the network encrypted with SM2 to a key made for that one question, so that
 * whoever reads the answer has nothing. Every call rejects with `Fault('internal')` when the service is away, late, refuses, or
 * answers anything that is not what was asked.
 */
export interface KeyService {
  /** A new master key, drawn by the service. */
  newKey(): Promise<WrappedKey>;
  /** The 32 bytes inside. */
  unwrap(key: WrappedKey): Promise<Buffer>;
}

export interface KeyServiceOptions {
  readonly url: string;
  readonly transport: SignatureServerTransport;
  /** The key of the service that new keys are wrapped with. */
  readonly keyId: string;
  /** Over everything of one call. */
  readonly timeoutMs: number;
  /** Calls in a row that may fail before the service is left alone, and a start refused. */
  readonly attemptsMax: number;
}

const KEY_BYTES = 32;
const HEX = /^(?:[0-9a-f]{2})+$/;
const WRAPPED_CHARACTERS_MAX = 2048;
/** 04 || X || Y || C3 || C2 of GB/T 32918.4 around 32 bytes. */
const ENVELOPE_BYTES = 97 + KEY_BYTES;
const AGAIN_MS = 200;

export const wrappedSchema = z.string().min(2).max(WRAPPED_CHARACTERS_MAX).regex(HEX);
const WRAPPED = z.looseObject({ wrapped: wrappedSchema });
const UNWRAPPED = z.looseObject({
  key: z
    .string()
    .length(2 * ENVELOPE_BYTES)
    .regex(HEX)
    .transform((text) => Buffer.from(text, 'hex')),
});

/** Opens no connection before the first call. */
export function createKeyService({ url, transport, keyId, timeoutMs, attemptsMax }: KeyServiceOptions): KeyService {
  const circuit: CircuitRules = { failuresMax: attemptsMax, openMs: timeoutMs, trialsToClose: 1 };
  const bulkhead = { inFlightMax: 1, queueMax: 8, queueDeadlineMs: attemptsMax * (timeoutMs + AGAIN_MS) };
  const calls = new GuardedCalls({ timeoutMs, circuit, bulkhead });
  const { ask } = createQuestions({
    url,
    transport,
    calls,
    refusals: ['unknown_key', 'not_wrapped_here'],
    away: (what, cause) => new Fault('internal', `The key service ${what}.`, { cause }),
  });

  /** Asks again while the service is not left alone: a start must not fail for one lost packet. */
  const patiently = async <T>(question: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await question();
      } catch (error) {
        const isRefusal = error instanceof Fault && error.cause === undefined;
        if (isRefusal || calls.load().circuit !== 'closed') throw error;
        await pause(AGAIN_MS);
      }
    }
  };

  /** `id` is compared within the call: a wrong key is a failure of the service like any other. */
  const opened = (wrapped: string, under: string, id: string | undefined): Promise<Buffer> =>
    patiently(async () => {
      const own = keyForOneAnswer();
      try {
        let inside: Buffer | undefined;
        const to = Buffer.from(own.publicKey.bytes).toString('hex');
        await ask('/unwrap', { keyId: under, wrapped, to }, UNWRAPPED, ({ key: envelope }) => {
          inside = decryptSm2(envelope, own);
          return inside?.length === KEY_BYTES && (id === undefined || masterId(inside) === id);
        });
        return inside!;
      } finally {
        wipeSm2PrivateKey(own);
      }
    });

  return {
    async newKey() {
      const { wrapped } = await patiently(() => ask('/wrapped-keys', { keyId }, WRAPPED));
      const key = await opened(wrapped, keyId, undefined);
      const id = masterId(key);
      key.fill(0);
      return { id, keyId, wrapped };
    },

    unwrap: ({ id, keyId: under, wrapped }) => opened(wrapped, under, id),
  };
}

/** One in four thousand million million draws is no number of a key; then another is drawn. */
function keyForOneAnswer(): Sm2PrivateKey {
  const number = randomSecret(KEY_BYTES);
  try {
    return readSm2PrivateKey(number);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return keyForOneAnswer();
  } finally {
    number.fill(0);
  }
}
