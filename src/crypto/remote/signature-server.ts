import { z } from 'zod';
import type { BulkheadRules } from '../../calling/bulkhead.ts';
import type { CallTrouble } from '../../calling/call-failure.ts';
import type { CircuitRules } from '../../calling/circuit.ts';
import { type CallLoad, GuardedCalls } from '../../calling/guarded-calls.ts';
import { Fault } from '../../shared/fault.ts';
import { isSm2PublicKey, SM2_PUBLIC_KEY_BYTES, SM2_SIGNATURE_BYTES } from '../signer.ts';
import { createQuestions, troubleOf } from './questions.ts';
import type { SignatureServerTransport } from './signature-server-transport.ts';

/** An SM2 key that is held elsewhere: the name it has there, and its public half, 65 bytes 04 || X || Y. */
export interface RemoteKey {
  readonly keyId: string;
  readonly publicKey: Buffer;
}

/**
 * A signature server (签名验签服务器), in the manner of GM/T 0029 and GM/T 0136: it holds SM2 keys and signs digests with them. Every
 * call rejects with `Fault('signer_unavailable')` when the server is away, late, refuses, or answers anything that is not what was asked.
 */
export interface SignatureServer {
  /** A key that nobody was given before; it stays with the server. */
  newKey(): Promise<RemoteKey>;
  /** R || S over the digest e = SM3(Z || M) of GB/T 32918.2, 32 bytes; `isGenuine` has judged it. */
  sign(keyId: string, digest: Uint8Array, isGenuine: (signature: Buffer) => boolean): Promise<Buffer>;
  load(): CallLoad;
}

export interface SignatureServerOptions {
  /** The address its paths stand under, without a slash at the end. */
  readonly url: string;
  readonly transport: SignatureServerTransport;
  /** Over everything of one call. */
  readonly timeoutMs: number;
  readonly circuit: CircuitRules;
  readonly bulkhead: BulkheadRules;
  /** Told when the circuit opens, with what opened it, and when it closes. */
  readonly onCircuit: (state: 'open' | 'closed', trouble: CallTrouble | 'internal' | undefined) => void;
}

const KEY_ID = /^[\w.-]{1,64}$/;

const RETRY_AFTER_SECONDS = 5;
const HEX = /^[0-9a-f]+$/;
const NEW_KEY = z.looseObject({
  keyId: z.string().regex(KEY_ID),
  publicKey: z
    .string()
    .length(2 * SM2_PUBLIC_KEY_BYTES)
    .regex(HEX)
    .transform((text) => Buffer.from(text, 'hex'))
    .refine(isSm2PublicKey),
});
const SIGNED = z.looseObject({
  signature: z
    .string()
    .length(2 * SM2_SIGNATURE_BYTES)
    .regex(HEX)
    .transform((text) => Buffer.from(text, 'hex')),
});

/** Opens no connection before the first call. A refusal of the server is an answer; a wrong signature is a failure of it. */
export function createSignatureServer(options: SignatureServerOptions): SignatureServer {
  const { url, transport, onCircuit } = options;
  const calls = new GuardedCalls({
    ...options,
    onCircuit: (state, error) => onCircuit(state, state === 'open' ? troubleOf(error) : undefined),
  });

  const { ask } = createQuestions({ url, transport, calls, refusals: ['unknown_key', 'no_key_left'], away });

  return {
    newKey: () => ask('/keys', { algorithm: 'SM2' }, NEW_KEY),

    async sign(keyId, digest, isGenuine) {
      const question = { keyId, digest: Buffer.from(digest).toString('hex') };
      const { signature } = await ask('/sign', question, SIGNED, (answer) => isGenuine(answer.signature));
      return signature;
    },

    load: () => calls.load(),
  };
}

const away = (what: string, cause?: unknown): Fault =>
  new Fault('signer_unavailable', `The signature server ${what}.`, { cause, retryAfterSeconds: RETRY_AFTER_SECONDS });
