import type { ExecutionContext } from 'ava';
import { createHashQueue } from '../../src/factors/hash-queue.ts';
import { createEventCounts, type EventCounts } from '../../src/monitoring/event-counts.ts';
import { createMonitoring, type MonitoredNode } from '../../src/monitoring/monitoring.ts';
import type { PrivatePort } from '../../src/monitoring/private-port.ts';
import { createRequestCounts, type RequestCounts } from '../../src/monitoring/request-counts.ts';
import { nowSeconds } from '../../src/shared/clock.ts';
import type { Database } from '../../src/storage/database.ts';
import { sqliteDatabase, temporaryFolder } from './databases.ts';
import { freePort } from './server.ts';

export interface TestNode {
  readonly port: PrivatePort;
  readonly url: string;
  readonly database: Database;
  readonly requests: RequestCounts;
  readonly events: EventCounts;
  /** What happens to the node. */
  readonly state: { draining: boolean };
}

export interface TestNodeOptions {
  readonly database?: Database;
  readonly monitoring?: Partial<MonitoredNode['config']['monitoring']>;
  readonly node?: Partial<MonitoredNode>;
}

/** A node on a store of its own, with its signing keys and its private port on a free port of the loopback interface. */
export async function startNode(t: ExecutionContext, options: TestNodeOptions = {}): Promise<TestNode> {
  const database = options.database ?? (await sqliteDatabase(t));
  await putKeys(database);
  const requests = createRequestCounts();
  const events = createEventCounts();
  const queue = createHashQueue({ hashesAtOnce: 1, queueMax: 4, queueDeadlineMs: 1000 });
  const state = { draining: false };
  const monitoring = createMonitoring({
    config: {
      monitoring: {
        host: '127.0.0.1',
        // Not 0, which means none: the kernel hands out the one that is free.
        port: await freePort(),
        allowedNetworks: ['127.0.0.0/8'],
        certificateFiles: [],
        feedsFile: '',
        ...options.monitoring,
      },
      dataDir: temporaryFolder(t),
      keys: {
        rotationDays: 90,
        resealedPerSecond: 500,
        checkedPerSecond: 2000,
        alteredRows: 'refuse',
        smOnly: false,
      },
      password: { queueMax: 4 } as MonitoredNode['config']['password'],
    },
    database,
    requests,
    events,
    hashes: queue.load,
    draining: () => state.draining,
    ...options.node,
  });
  const port = await monitoring.open();
  if (port === undefined) throw new Error('no private port');
  t.teardown(() => port.stop());
  return { port, url: `http://127.0.0.1:${port.port}`, database, requests, events, state };
}

async function putKeys(database: Database): Promise<void> {
  const insert = `INSERT INTO keys (kid, purpose, alg, state, public_jwk, private_sealed, created_at, activated_at)
    VALUES ($1, 'signing', $2, $3, '{}', $4, $5, $5)`;
  for (const alg of ['ES256', 'RS256', 'SGD_SM3_SM2'])
    for (const state of ['current', 'next'])
      await database.run(insert, [`${alg}-${state}`, alg, state, new Uint8Array([1]), nowSeconds()]);
}
