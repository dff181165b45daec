import { createECDH } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { sm2 } from 'sm-crypto';
import { Fault } from '../shared/fault.ts';
import {
  isSm2PublicKey,
  type SignatureVerifier,
  type Signer,
  SM2_ORDER,
  SM2_SIGNATURE_BYTES,
  SM2_USER_ID,
  wholeNumber,
} from './signer.ts';
import type { SigningResult, SigningTask, SigningWorkerKey } from './sm2-signing-worker.ts';

const PRIVATE_KEY = /^[0-9a-f]{64}$/i;
const MESSAGE_BYTES_MAX = 65_536;
const SIGNATURES_WAITING_MAX = 256;

interface Waiting {
  readonly resolve: (signature: Buffer) => void;
  readonly reject: (fault: Fault) => void;
}

/**
 * Signs in this process with the key given as 64 hexadecimal digits, from 1 to n - 2: for small sites; certified hardware stands
 * behind the same interface. The work is done in one worker thread, started by the first signature, because sm-crypto would
 * hold the event loop. A worker that dies rejects what it was asked for, and the next signature starts another; an idle one does
 * not keep the process alive. Throws `Fault('internal')` for anything that is no such key. `sign` rejects with `overloaded` when
 * 256 signatures wait, and with `internal` for messages above 64 KiB.
 */
export function createSoftwareSm2Signer(privateKeyHex: string): Signer {
  const publicKey = sm2PublicKey(privateKeyHex);
  const key: SigningWorkerKey = { privateKeyHex: privateKeyHex.toLowerCase(), publicKeyHex: publicKey.toString('hex') };
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let lastId = 0;
  let closed = false;

  const giveUp = (dead: Worker, cause: unknown): void => {
    if (dead !== worker) return;
    worker = undefined;
    const fault = new Fault('internal', 'The SM2 signing worker ended.', { cause });
    for (const { reject } of waiting.values()) reject(fault);
    waiting.clear();
  };

  const start = (): Worker => {
    const started = new Worker(new URL('./sm2-signing-worker.ts', import.meta.url), { workerData: key });
    started.on('message', ({ id, signature }: SigningResult) => {
      waiting.get(id)?.resolve(Buffer.from(signature));
      waiting.delete(id);
      if (waiting.size === 0) started.unref();
    });
    started.on('error', (cause) => giveUp(started, cause));
    started.on('exit', (code) => giveUp(started, `exit ${code}`));
    return started;
  };

  return {
    alg: 'SM2',
    publicKey,

    async sign(message) {
      if (closed) throw new Fault('internal', 'This SM2 signer is closed.');
      if (message.length > MESSAGE_BYTES_MAX) throw new Fault('internal', 'The message is too long to be signed.');
      if (waiting.size >= SIGNATURES_WAITING_MAX) throw new Fault('overloaded', 'Too many SM2 signatures wait.');
      worker ??= start();
      worker.ref();
      lastId += 1;
      const task: SigningTask = { id: lastId, message: Uint8Array.from(message) };
      const signature = new Promise<Buffer>((resolve, reject) => waiting.set(task.id, { resolve, reject }));
      worker.postMessage(task);
      return signature;
    },

    async close() {
      closed = true;
      const ending = worker;
      if (ending === undefined) return;
      giveUp(ending, 'closed');
      await ending.terminate();
    },
  };
}

/**
 * Checks signatures of one key, 04 || X || Y. sm-crypto also takes hexadecimal of odd lengths and numbers past the order, so the
 * exact form is checked before it is asked (R8). Throws `Fault('internal')` for a key that is no point of the curve.
 */
export function createSm2Verifier(publicKey: Uint8Array): SignatureVerifier {
  if (!isSm2PublicKey(publicKey)) throw new Fault('internal', 'The SM2 public key is no point of the curve.');
  const key = Buffer.from(publicKey);
  const keyHex = key.toString('hex');
  return {
    publicKey: key,
    verify(message, signature) {
      if (signature.length !== SM2_SIGNATURE_BYTES) return false;
      const numbers = [wholeNumber(signature.subarray(0, 32)), wholeNumber(signature.subarray(32))];
      if (numbers.some((number) => number < 1n || number >= SM2_ORDER)) return false;
      return sm2.doVerifySignature(message, Buffer.from(signature).toString('hex'), keyHex, {
        hash: true,
        der: false,
        userId: SM2_USER_ID,
      });
    },
  };
}

/**
 * The public key, 65 bytes 04 || X || Y, of a private key of 64 hexadecimal digits. Throws `Fault('internal')` unless it is
 * from 1 to n - 2 (GB/T 32918.1 6.1); the fault does not repeat it.
 */
export function sm2PublicKey(privateKeyHex: string): Buffer {
  const number = PRIVATE_KEY.test(privateKeyHex) ? BigInt(`0x${privateKeyHex}`) : 0n;
  if (number < 1n || number > SM2_ORDER - 2n) throw new Fault('internal', 'The SM2 private key is not a valid one.');
  const pair = createECDH('SM2');
  pair.setPrivateKey(privateKeyHex, 'hex');
  return pair.getPublicKey();
}
