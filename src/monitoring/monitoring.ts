import type { Config } from '../config/schema.ts';
import type { Signer } from '../crypto/signer.ts';
import { signingAlgorithms } from '../crypto/signing-key.ts';
import type { RegisterReading } from '../proofing/register-client.ts';
import type { Database } from '../storage/database.ts';
import type { RedisReading } from '../storage/redis-presence.ts';
import type { ArtifactReading } from './artifact-counts.ts';
import { readCertificates } from './certificates.ts';
import type { EventCounts } from './event-counts.ts';
import type { FeedReading, HashReading, MetricSources, OutboxReading, StoreReading } from './metric-sources.ts';
import type { MetricReading, Metrics } from './metrics.ts';
import { type PrivateAnswer, type PrivatePort, startPrivatePort } from './private-port.ts';
import { type Check, createReadiness, type Verdict } from './readiness.ts';
import {
  createLedgerCheck,
  createSignerCheck,
  createStoreCheck,
  freeBytesOf,
  judgeCertificates,
  judgeDraining,
  judgeFeeds,
  judgeHashQueue,
  judgeKeys,
  judgeRedis,
  judgeSpace,
} from './readiness-checks.ts';
import type { RequestCounts } from './request-counts.ts';
import {
  probeLedger,
  probeWrite,
  readDeliveriesWaiting,
  readIncidents,
  readKeys,
  readLedger,
} from './store-readings.ts';

/** The running parts of a node that monitoring looks at; it changes none of them. */
export interface MonitoredNode {
  readonly config: Pick<Config, 'monitoring' | 'dataDir' | 'keys' | 'password'>;
  readonly database: Database;
  readonly requests: RequestCounts;
  readonly events: Pick<EventCounts, 'read'>;
  readonly hashes: () => HashReading;
  /** True from the moment the node begins to stop. */
  readonly draining: () => boolean;
  readonly artifacts?: () => ArtifactReading;
  readonly store?: () => StoreReading;
  readonly outbox?: () => OutboxReading;
  readonly sweptRows?: () => number;
  readonly feeds?: () => readonly FeedReading[];
  readonly registers?: () => readonly RegisterReading[];
  /** Where Redis holds what is short-lived. */
  readonly redis?: () => Promise<RedisReading>;
  /** What signs SM2 tokens, where its key is held by a signature server. */
  readonly tokenSigner?: () => Pick<Signer, 'sign'> | undefined;
  readonly detections?: () => Readonly<Record<string, number>>;
  /** Answers the paths under `/ledger/` of the private port. */
  readonly ledgerFiles?: (path: string) => Promise<PrivateAnswer>;
  readonly onFault?: (error: unknown) => void;
}

/** What a worker tells its primary, who has the private port. */
export interface Telling {
  metrics(): Promise<readonly MetricReading[]>;
  readiness(): Promise<Verdict>;
  ledger(path: string): Promise<PrivateAnswer | undefined>;
}

export interface Monitoring {
  readonly telling: Telling;
  readonly readiness: () => Promise<Verdict>;
  /** Opens the private port; undefined when the configuration wants none. Rejects when the port cannot be had. */
  open(): Promise<PrivatePort | undefined>;
}

/** Metrics and readiness of one node, from the parts it is made of. The library of metrics is loaded with the private port alone. */
export function createMonitoring(node: MonitoredNode): Monitoring {
  const { config, database } = node;
  const { monitoring } = config;
  const readiness = createReadiness(checksOf(node));
  const sources: MetricSources = {
    requests: node.requests,
    events: node.events.read,
    hashQueue: node.hashes,
    hashQueueLimit: () => config.password.queueMax,
    freeBytes: () => freeBytesOf(config.dataDir),
    ledger: () => readLedger(database),
    incidents: () => readIncidents(database),
    deliveriesWaiting: () => readDeliveriesWaiting(database),
    keys: () => readKeys(database, config.keys.rotationDays),
    certificates: () => readCertificates(monitoring.certificateFiles),
    readiness,
    ...whatIsThere({
      artifacts: node.artifacts,
      store: node.store,
      outbox: node.outbox,
      sweptRows: node.sweptRows,
      feeds: node.feeds,
      detections: node.detections,
      registers: node.registers,
      redis: node.redis,
    }),
  };
  let metrics: Promise<Metrics> | undefined;
  const openMetrics = (): Promise<Metrics> => {
    metrics ??= import('./metrics.ts').then(({ createMetrics }) => createMetrics(sources));
    return metrics;
  };
  return {
    readiness,
    telling: {
      metrics: async () => (await openMetrics()).readings(),
      readiness,
      ledger: async (path) => node.ledgerFiles?.(path),
    },
    async open() {
      if (monitoring.port === 0) return undefined;
      const { host, port, allowedNetworks } = monitoring;
      return startPrivatePort({
        host,
        port,
        allowedNetworks,
        metrics: await openMetrics(),
        readiness,
        ...whatIsThere({ ledger: node.ledgerFiles, onFault: node.onFault }),
      });
    },
  };
}

function checksOf({
  config,
  database,
  hashes,
  feeds,
  draining,
  redis,
  tokenSigner,
}: MonitoredNode): Readonly<Record<string, Check>> {
  const { keys, password, monitoring, dataDir } = config;
  const store = createStoreCheck(
    () => database.get('SELECT 1 AS one', []),
    () => probeWrite(database),
  );
  return {
    draining: { look: () => judgeDraining(draining()) },
    database: { look: store },
    ledger: {
      look: createLedgerCheck(
        () => readLedger(database),
        () => probeLedger(database),
      ),
    },
    keys: { look: async () => judgeKeys(await readKeys(database, keys.rotationDays), signingAlgorithms(keys.smOnly)) },
    // Portals that take other tokens, and everybody's own pages, are still served; where there is SM2 alone, nothing can be issued.
    ...(tokenSigner && { signer: { ...(keys.smOnly ? {} : MILD), look: createSignerCheck(tokenSigner) } }),
    certificates: { look: async () => judgeCertificates(await readCertificates(monitoring.certificateFiles)) },
    // SQL stands in: everybody is served, at the price of requests that were under way.
    ...(redis && { redis: { ...MILD, look: async () => judgeRedis(await redis()) } }),
    disk: { look: async () => judgeSpace(await freeBytesOf(dataDir)) },
    hashQueue: { worst: 'warn', look: () => judgeHashQueue(hashes(), password.queueMax) },
    feeds: { worst: 'warn', look: () => judgeFeeds(feeds?.() ?? []) },
  };
}

const MILD = { worst: 'warn' } as const;

type Present<T> = { readonly [Key in keyof T]?: NonNullable<T[Key]> };

/** Leaves out what is undefined, so that optional parts stay optional. */
const whatIsThere = <T extends object>(parts: T): Present<T> =>
  Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)) as Present<T>;
