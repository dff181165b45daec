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
  /** How long a session is used at most in the busiest hours, and the lives of what it leaves in Redis. */
  readonly sessionSeconds: number;
  readonly accessTokenSeconds: number;
  readonly codeSeconds: number;
  readonly ledgerEntriesPerSecondMax: number;
}

const DAY_SECONDS = 86_400;

/**
 * As measured on two virtual processors with PostgreSQL 15 and Redis 7.0, each action by sixteen connections at once: `npm run bench -- --footprint`, and for the
 * hash and the sequencer the rows of docs/performance.md. Redis rows by `npm run bench -- --engine postgres-redis`.
 */
export const MEASURED: Costs = {
  signIn: { nodeMicroseconds: 9_000, postgresMicroseconds: 6_000, redisMicroseconds: 300, walBytes: 30_000, events: 3 },
  sso: { nodeMicroseconds: 2_500, postgresMicroseconds: 2_000, redisMicroseconds: 150, walBytes: 9_000, events: 2 },
  refresh: { nodeMicroseconds: 900, postgresMicroseconds: 900, redisMicroseconds: 60, walBytes: 6_000, events: 1 },
  userinfo: { nodeMicroseconds: 400, postgresMicroseconds: 200, redisMicroseconds: 20, walBytes: 0, events: 0 },
  hashMicroseconds: 31_000,
  personBytes: 1_600,
  sessionBytes: 4_000,
  eventBytes: 1_200,
  redisTokenBytes: 1_080,
  redisCodeBytes: 1_088,
  sessionSeconds: DAY_SECONDS / 2,
  accessTokenSeconds: 600,
  codeSeconds: 75,
  ledgerEntriesPerSecondMax: 59_000,
};
