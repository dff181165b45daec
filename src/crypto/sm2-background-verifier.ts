import { Worker } from 'node:worker_threads';
import { Fault } from '../shared/fault.ts';
import { isSm2PublicKey } from './signer.ts';
import type { VerifyingResult, VerifyingTask, VerifyingWorkerKey } from './sm2-verifying-worker.ts';

/** Checks signatures of one key without holding the event loop: tens of milliseconds each. */
export interface BackgroundVerifier {
  /** As `SignatureVerifier.verify`. Rejects with `Fault('overloaded')` when 256 wait, with `Fault('internal')` after `close`. */
  verify(message: Uint8Array, signature: Uint8Array): Promise<boolean>;
  /** Ends the worker; whoever waits is rejected. */
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (genuine: boolean) => void;
  readonly reject: (fault: Fault) => void;
}

const WAITING_MAX = 256;

/**
 * One worker thread, started by the first signature; an idle one does not keep the process alive, and one that dies rejects what it
 * was asked for and is replaced. Throws `Fault('internal')` for a key (04 || X || Y, 65 bytes) that is no point of the curve.
 */
export function createBackgroundVerifier(publicKey: Uint8Array): BackgroundVerifier {
  if (!isSm2PublicKey(publicKey)) throw new Fault('internal', 'The SM2 public key is no point of the curve.');
  const key: VerifyingWorkerKey = { publicKey: Uint8Array.from(publicKey) };
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let lastId = 0;
  let closed = false;

  const giveUp = (dead: Worker, cause: unknown): void => {
    if (dead !== worker) return;
    worker = undefined;
    const fault = new Fault('internal', 'The SM2 verifying worker ended.', { cause });
    for (const { reject } of waiting.values()) reject(fault);
    waiting.clear();
  };

  const start = (): Worker => {
    const started = new Worker(new URL('./sm2-verifying-worker.ts', import.meta.url), { workerData: key });
    started.on('message', ({ id, genuine }: VerifyingResult) => {
      waiting.get(id)?.resolve(genuine);
      waiting.delete(id);
      if (waiting.size === 0) started.unref();
    });
    started.on('error', (cause) => giveUp(started, cause));
    started.on('exit', (code) => giveUp(started, `exit ${code}`));
    return started;
  };

  return {
    async verify(message, signature) {
      if (closed) throw new Fault('internal', 'This SM2 verifier is closed.');
      if (waiting.size >= WAITING_MAX) throw new Fault('overloaded', 'Too many SM2 signatures wait to be verified.');
      worker ??= start();
      worker.ref();
      lastId += 1;
      const task: VerifyingTask = {
        id: lastId,
        message: Uint8Array.from(message),
        signature: Uint8Array.from(signature),
      };
      const verdict = new Promise<boolean>((resolve, reject) => waiting.set(task.id, { resolve, reject }));
      worker.postMessage(task);
      return verdict;
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
