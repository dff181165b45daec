import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { ExecutionContext } from 'ava';

/** Lets a server listen on a free port until the test ends; resolves with the port. */
export async function listening(
  t: Pick<ExecutionContext, 'teardown'>,
  server: Server,
  host = '127.0.0.1',
): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Counts whoever connects; nobody should. The host `::` stands for every address of this machine. */
export async function trap(
  t: Pick<ExecutionContext, 'teardown'>,
  host: string,
): Promise<{ readonly seen: { connections: number }; readonly port: number }> {
  const seen = { connections: 0 };
  const server = createServer((socket) => {
    seen.connections += 1;
    socket.destroy();
  });
  return { seen, port: await listening(t, server, host) };
}

/** A web server of somebody else on this machine; resolves with its origin. Answers that hang end with the test. */
export async function webServer(t: Pick<ExecutionContext, 'teardown'>, answer: RequestListener): Promise<string> {
  const server = createHttpServer(answer);
  t.teardown(() => server.closeAllConnections());
  return `http://127.0.0.1:${await listening(t, server)}`;
}
