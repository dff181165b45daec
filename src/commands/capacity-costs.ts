/** What one action costs, in microseconds of processor time, bytes of write-ahead log, and entries of the ledger. */
export interface ActionCost {
  readonly nodeMicroseconds: number;
  readonly postgresMicroseconds: number;
  readonly redisMicroseconds: number;
  readonly walBytes: number;
  readonly events: number;
}

export interface Costs {
  readonly signIn: ActionCost;
  readonly sso: ActionCost;
  readonly refresh: ActionCost;
  readonly userinfo: ActionCost;
  /** One password hash with the usual settings (Argon2id, 19 MiB, two passes). */
  readonly hashMicroseconds: number;
  /** One account with its document, password and indexes. */
  readonly personBytes: number;
  /** Session, grant and refresh token of one portal, with indexes. */
  readonly sessionBytes: number;
  /** One entry with its indexes and its part of the tree. */
  readonly eventBytes: number;
  readonly redisTokenBytes: number;
  readonly redisCodeBytes: number;
  /** How long the row of a session stays at most (`session.absoluteSeconds`), and the lives of what it leaves in Redis. */
  readonly sessionSeconds: number;
  readonly accessTokenSeconds: number;
  readonly codeSeconds: number;
  readonly ledgerEntriesPerSecondMax: number;
}

const DAY_SECONDS = 86_400;

/**
 * As measured on two virtual processors with PostgreSQL 15 and Redis 7.0, each action by sixteen connections at once: `npm run bench -- --footprint`, and for the
 * hash and the sequencer the rows of docs/performance.md. What lies in Redis is measured by `npm run bench -- --engine postgres-redis`.
 */
export const MEASURED: Costs = {
  signIn: {
    nodeMicroseconds: 9_210,
    postgresMicroseconds: 6_870,
    redisMicroseconds: 623,
    walBytes: 15_800,
    events: 4,
  },
  sso: { nodeMicroseconds: 1_570, postgresMicroseconds: 544, redisMicroseconds: 111, walBytes: 4_280, events: 2 },
  refresh: { nodeMicroseconds: 576, postgresMicroseconds: 345, redisMicroseconds: 87, walBytes: 3_370, events: 1 },
  userinfo: { nodeMicroseconds: 237, postgresMicroseconds: 41, redisMicroseconds: 10, walBytes: 0, events: 0 },
  hashMicroseconds: 30_400,
  // 890 for account and document, by 10,000 of them; the rest is reckoned for a password and a phone.
  personBytes: 1_200,
  sessionBytes: 2_500,
  eventBytes: 1_083,
  redisTokenBytes: 1_080,
  redisCodeBytes: 1_088,
  sessionSeconds: DAY_SECONDS / 2,
  accessTokenSeconds: 600,
  codeSeconds: 75,
  ledgerEntriesPerSecondMax: 59_000,
};
