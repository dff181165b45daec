import { z } from 'zod';
import { choice, flag, isWebOrigin, list, storeUrl, storeUrls, text, whole } from './fields.ts';

const DAY_SECONDS = 86_400;

export const database = z.strictObject({
  url: storeUrl(['postgres:', 'postgresql:'], 'PostgreSQL to use; empty means one SQLite file in the data folder.'),
  poolMax: whole(1, 500, 'Connections to PostgreSQL this process keeps at most.'),
  statementTimeoutMs: whole(
    100,
    60_000,
    'A statement that runs longer is cancelled and the request answered with 503.',
  ),
  connectTimeoutMs: whole(100, 60_000, 'How long to wait for a connection to PostgreSQL.'),
  idleTimeoutMs: whole(1000, 3_600_000, 'A connection to PostgreSQL that nobody needed for so long is closed.'),
  idleInTransactionTimeoutMs: whole(
    1000,
    120_000,
    'How long PostgreSQL lets a transaction wait for its next statement before it undoes it and closes the connection.',
  ),
  retriesMax: whole(
    0,
    10,
    'How often a transaction that PostgreSQL undid for a race (serialization failure, deadlock) is run again, each time after a longer random pause.',
  ),
  migrateAtStart: flag(
    'Whether a start brings a store of an older version to this one. With false it refuses, and `tongban migrate` is what changes the schema.',
  ),
});

export const redis = z.strictObject({
  url: storeUrls(
    ['redis:', 'rediss:'],
    'Redis for what may be lost at the price of one more sign-in; empty means SQL holds it. rediss means TLS. For a cluster some of its nodes, for Sentinel the Sentinels, separated by commas.',
  ),
  topology: choice(
    ['single', 'cluster', 'sentinel'],
    'What stands at the address: one server, nodes of a cluster, or Sentinels.',
  ),
  primary: z.string().max(128).meta({ description: 'Under which name the Sentinels know the primary.' }),
  user: z
    .string()
    .max(128)
    .meta({ description: 'Who we are to the servers behind Sentinels; elsewhere the address may say it as well.' }),
  password: z.string().max(512).meta({ description: 'The password to it.', secret: true }),
  authorityFile: z.string().max(1024).meta({
    description: 'PEM file of the authorities that vouch for the servers; empty means those of the system.',
  }),
  prefix: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, 'must be 1 to 32 small letters, digits or hyphens')
    .meta({ description: 'Begins every key: two houses on one Redis differ in it.' }),
  connectTimeoutMs: whole(100, 60_000, 'How long to wait for Redis at the start.'),
  commandTimeoutMs: whole(
    50,
    10_000,
    'A command not answered by then is given up, and SQL stands in until Redis answers again.',
  ),
});

export const http = z.strictObject({
  headersTimeoutMs: whole(1000, 60_000, 'A client that has not sent its request headers by then is disconnected.'),
  requestTimeoutMs: whole(1000, 300_000, 'A client that has not sent its whole request by then is disconnected.'),
  connectionsMax: whole(10, 100_000, 'Open connections at most; more are refused.'),
  connectionsPerAddressMax: whole(
    1,
    100_000,
    'Open connections from one address at most; behind a proxy that is the proxy.',
  ),
  headerBytesMax: whole(4096, 65_536, 'Size of all request headers together at most.'),
  drainDelayMs: whole(
    0,
    120_000,
    'After SIGTERM the server is not ready, but goes on taking requests for so long: until every load balancer has seen it.',
  ),
  trustedProxies: whole(0, 5, 'Proxies in front that overwrite X-Forwarded-*; 0 means these headers are not believed.'),
});

export const log = z.strictObject({
  level: choice(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'The least severe lines that are written.',
  ),
  destination: choice(['file', 'stdout', 'none'], 'Where the lines go; file means tongban.log in the data folder.'),
});

export const outbound = z.strictObject({
  allowedOrigins: list(
    z.string().max(255).refine(isWebOrigin, 'must be an origin such as https://portal.example'),
    200,
    'Origins at private addresses that may be called, for logout notices and key sets; empty means none.',
  ),
  timeoutMs: whole(100, 30_000, 'A call to another party that takes longer has failed.'),
  bodyBytesMax: whole(1024, 1_048_576, 'Size of an answer from another party at most.'),
});

export const outbox = z.strictObject({
  attemptsMax: whole(1, 50, 'Deliveries tried before a message is put aside as dead.'),
  firstDelaySeconds: whole(1, 3600, 'Pause after the first failed delivery; it doubles with each further one.'),
  delaySecondsMax: whole(1, DAY_SECONDS, 'The longest pause between two deliveries.'),
  concurrencyMax: whole(1, 200, 'Deliveries under way at the same time at most.'),
  pollIntervalMs: whole(50, 60_000, 'How often the outbox is looked through for messages that are due.'),
});

export const sweep = z.strictObject({
  intervalMs: whole(1000, 3_600_000, 'How often expired sessions, codes, tokens and counters are removed.'),
  batchRowsMax: whole(10, 10_000, 'Rows one sweep removes from a table in one transaction at most.'),
});

export const ledger = z.strictObject({
  origin: z
    .string()
    .max(128)
    .regex(/^[!-*,-~]*$/, 'must be printable ASCII without space and plus')
    .meta({
      description:
        'The name of the audit ledger, the first line of every checkpoint, taken at the first start and kept; empty means the host of the issuer with /audit.',
    }),
  signingKeyFile: z.string().max(1024).meta({
    description:
      'A file with the SM2 key that signs checkpoints (64 hexadecimal digits, mode 0600); empty means a key derived from secrets.encryptionKey.',
  }),
  checkpointIntervalMs: whole(100, 60_000, 'How long an entry waits for its signed checkpoint at most.'),
  retentionDays: whole(183, 36_500, 'How long ledger events are kept; less than 366 days must be accepted explicitly.'),
  shortRetentionAccepted: flag(
    'Accepts a retention below twelve months, against the usual reading of the regulations.',
  ),
});

export const keys = z.strictObject({
  rotationDays: whole(1, 730, 'Age at which a signing key is replaced by the next one.'),
  resealedPerSecond: whole(
    10,
    10_000,
    'How many rows a second are brought under the keys in use at night, after a key that seals or indexes was replaced.',
  ),
  checkedPerSecond: whole(
    10,
    100_000,
    'How many rows that decide who may do what are held against their seals a second, at night.',
  ),
  alteredRows: choice(
    ['refuse', 'tell'],
    'What becomes of a request that needs a row which does not match its seal; tell only writes it into the ledger, for the time in which nodes of an older version still write.',
  ),
  smOnly: flag(
    'Signs and accepts SM2 alone: portals registered for anything else are refused, and so are RSA, ECDSA and DPoP.',
  ),
});

export const demo = z.strictObject({
  portals: flag('Starts sample portals beside the server. Refused in production.'),
  ports: list(z.int().min(1).max(65_535), 10, 'The ports of the sample portals on 127.0.0.1, in order.'),
});

export const support = z.strictObject({
  hotline: text(40, 'The telephone number of the help desk, shown on fault pages.'),
});

export const branding = z.strictObject({
  nameZh: text(40, 'The name of the service on Chinese pages.'),
  nameEn: text(60, 'The name of the service on English pages.'),
  provinceZh: text(40, 'The name of the province on Chinese pages.'),
  provinceEn: text(60, 'The name of the province on English pages.'),
});
