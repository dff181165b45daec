import type { ServerProcess } from './server-process.ts';
import { residentBytes } from './server-process.ts';

/** Memory of a server right after a full collection, in bytes: what it holds on to, not what it has not yet let go. */
export interface Memory {
  readonly heap: number;
  readonly resident: number;
}

/** Start the server with these arguments to be able to weigh it. The system chooses the port of the inspector. */
export const WEIGHABLE = ['--inspect=127.0.0.1:0'];

const EXPRESSION = '(() => { const m = process.memoryUsage(); return m.heapUsed + m.external; })()';

/** Weighs a server that was started with `WEIGHABLE`, over the protocol of Node's inspector. */
export async function weigh(server: ServerProcess): Promise<Memory> {
  const address = /ws:\/\/127\.0\.0\.1:\d+\/[\w-]+/.exec(server.stderr)?.[0];
  if (address === undefined) throw new Error('the server has no inspector');
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error('the inspector cannot be reached')), { once: true });
  });
  let sent = 0;
  const ask = (method: string, params: object = {}): Promise<unknown> =>
    new Promise((resolve) => {
      sent += 1;
      const id = sent;
      const listen = (event: MessageEvent): void => {
        const message = JSON.parse(String(event.data)) as { readonly id?: number; readonly result?: unknown };
        if (message.id !== id) return;
        socket.removeEventListener('message', listen);
        resolve(message.result);
      };
      socket.addEventListener('message', listen);
      socket.send(JSON.stringify({ id, method, params }));
    });
  try {
    await ask('HeapProfiler.collectGarbage');
    await ask('HeapProfiler.collectGarbage');
    const outcome = (await ask('Runtime.evaluate', { expression: EXPRESSION })) as {
      readonly result: { readonly value: number };
    };
    return { heap: outcome.result.value, resident: residentBytes(server.pid) };
  } finally {
    socket.close();
  }
}
