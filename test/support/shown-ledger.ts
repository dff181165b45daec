import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { createTileService, type TileService } from '../../src/ledger/witness/tile-service.ts';
import type { Database } from '../../src/storage/database.ts';

/** A ledger shown over HTTP. What is shown can be exchanged while somebody watches. */
export interface ShownLedger {
  readonly url: string;
  /** The paths asked for so far. */
  readonly asked: readonly string[];
  show(database: Database): void;
  /** Lets `listener` answer in place of the ledger; undefined gives the ledger back. */
  answerWith(listener: RequestListener | undefined): void;
}

export async function showLedger(
  t: ExecutionContext,
  database: Database,
  tls?: { readonly key: string; readonly cert: string },
): Promise<ShownLedger> {
  let service: TileService = createTileService(database);
  let instead: RequestListener | undefined;
  const asked: string[] = [];
  const listener: RequestListener = async (request, response) => {
    asked.push(request.url ?? '');
    if (instead !== undefined) return instead(request, response);
    const { status, type, body } = await service(request.url ?? '');
    response.writeHead(status, { 'content-type': type }).end(body);
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}/ledger`,
    asked,
    show: (other) => {
      service = createTileService(other);
    },
    answerWith: (other) => {
      instead = other;
    },
  };
}
