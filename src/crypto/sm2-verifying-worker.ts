import { parentPort, workerData } from 'node:worker_threads';
import { createSm2Verifier } from './sm2-software-signer.ts';

/** The key this worker verifies with for as long as it lives: 04 || X || Y. */
export interface VerifyingWorkerKey {
  readonly publicKey: Uint8Array;
}

export interface VerifyingTask {
  readonly id: number;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

export interface VerifyingResult {
  readonly id: number;
  readonly genuine: boolean;
}

if (parentPort !== null) {
  const port = parentPort;
  const verifier = createSm2Verifier((workerData as VerifyingWorkerKey).publicKey);
  port.on('message', ({ id, message, signature }: VerifyingTask) => {
    const result: VerifyingResult = { id, genuine: verifier.verify(message, signature) };
    port.postMessage(result);
  });
}
