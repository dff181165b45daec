import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Kysely } from 'kysely';
import type { Database, SqlValue, StoreLoad, Transaction, WriteTerms } from './database.ts';
import { GroupCommit } from './group-commit.ts';
import { createQueryBuilder, isReading } from './query-dialect.ts';
import { SqliteStatements } from './sqlite-statements.ts';
import { translateSqliteError, unavailable } from './storage-errors.ts';
import type { Tables } from './tables.ts';

/**
 * Pages of 4 KiB kept by each connection: 4 MiB. A page that is split between two others makes the next COMMIT walk through all that are kept: with 32 MiB
 * a sign-in cost a twentieth more; with 1.5 or 8 MiB it cost the same as with these. What is read comes out of the mapped file anyway.
 */
const CACHE_KIBIBYTES = 4 * 1024;
/** As much as SQLite takes. At 256 MiB a look-up among a million people cost a third more: pages were read into the cache above. */
const MMAP_BYTES = 2 * 1024 * 1024 * 1024 - 65_536;
const JOURNAL_BYTES_MAX = 64 * 1024 * 1024;
/** A log of 32 MiB before it is copied back: a tenth less processor time a write than 16 MiB; at 60 MiB the longest COMMIT doubled. */
const CHECKPOINT_PAGES = 8_000;
const READER_BUSY_MS = 5_000;

/** FULL: NORMAL may lose commits that were already acknowledged when the power fails (X4, L8). */
const WRITER_PRAGMAS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  PRAGMA temp_store = MEMORY;
  PRAGMA cache_size = -${CACHE_KIBIBYTES};
  PRAGMA mmap_size = ${MMAP_BYTES};
  PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
  PRAGMA journal_size_limit = ${JOURNAL_BYTES_MAX};
`;
const READER_PRAGMAS = `
  PRAGMA busy_timeout = ${READER_BUSY_MS};
  PRAGMA temp_store = MEMORY;
  PRAGMA cache_size = -${CACHE_KIBIBYTES};
  PRAGMA mmap_size = ${MMAP_BYTES};
`;

/**
 * Opens (and creates, mode 0600 in a folder of mode 0700) the SQLite file. Two connections: one writes, the other reads, so that
 * a reader never sees a transaction that may yet be undone. Several processes may open the same file.
 * Throws `Fault('storage_unavailable')` when the file cannot be opened.
 */
export async function openSqlite(options: { readonly file: string }): Promise<Database> {
  try {
    createPrivateFile(options.file);
    const writer = new DatabaseSync(options.file, { timeout: READER_BUSY_MS });
    writer.exec(WRITER_PRAGMAS);
    // From here on the committer waits for the lock itself, without blocking the event loop.
    writer.exec('PRAGMA busy_timeout = 0');
    const reader = new DatabaseSync(options.file, { readOnly: true, timeout: READER_BUSY_MS });
    reader.exec(READER_PRAGMAS);
    return new SqliteDatabase(writer, reader);
  } catch (error) {
    throw error instanceof Error && 'syscall' in error
      ? unavailable('The SQLite file cannot be created', error)
      : translateSqliteError(error);
  }
}

function createPrivateFile(file: string): void {
  const folder = dirname(file);
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  }
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
}

class SqliteDatabase implements Database {
  readonly engine = 'sqlite';
  readonly #writer: DatabaseSync;
  readonly #reader: DatabaseSync;
  readonly #onReader: SqliteStatements;
  readonly #onWriter: SqliteStatements;
  readonly #committer: GroupCommit;
  #query: Kysely<Tables> | undefined;
  #foreignSeen: number | undefined;
  #closed: Promise<void> | undefined;

  constructor(writer: DatabaseSync, reader: DatabaseSync) {
    this.#writer = writer;
    this.#reader = reader;
    this.#onReader = new SqliteStatements(reader);
    this.#onWriter = new SqliteStatements(writer);
    this.#committer = new GroupCommit(writer, this.#onWriter);
  }

  get query(): Kysely<Tables> {
    this.#query ??= createQueryBuilder('sqlite', async (query) =>
      isReading(query) ? this.#read.execute(query) : this.write((tx) => tx.query.executeQuery(query)),
    );
    return this.#query;
  }

  /**
   * Between transactions the writer's connection sees exactly what is committed, and its page cache is warm: SQLite throws the
   * cache of every other connection away at each commit, which made a look-up under load ten times as dear (50 us for 5).
   * While a group is being written, the reader serves, so that nobody sees what may yet be undone.
   */
  get #read(): SqliteStatements {
    if (this.#closed !== undefined) throw unavailable('The database is closed');
    return this.#committer.forReading() ?? this.#onReader;
  }

  async all<Row>(sql: string, params: readonly SqlValue[]): Promise<Row[]> {
    return this.#read.all(sql, params) as Row[];
  }

  async get<Row>(sql: string, params: readonly SqlValue[]): Promise<Row | undefined> {
    return this.#read.get(sql, params) as Row | undefined;
  }

  /** Outside a transaction a statement that changes rows is a write of its own. */
  run(sql: string, params: readonly SqlValue[]): Promise<number> {
    return this.write((tx) => tx.run(sql, params));
  }

  write<T>(work: (tx: Transaction) => Promise<T>, terms?: WriteTerms): Promise<T> {
    return this.#committer.write(work, terms);
  }

  /** Moves with committed changes of `relying_parties`, `keys` and `settings`, by whatever process; triggers raise it. */
  async changeStamp(): Promise<number> {
    const row = this.#read.get('SELECT value FROM change_stamp WHERE id = 1', []) as { value: number } | undefined;
    return row?.value ?? 0;
  }

  listen(): { stop(): Promise<void> } {
    return { stop: async () => {} };
  }

  /** PRAGMA data_version of the writer moves only with commits of other connections, and our other one only reads. */
  foreignCommits(): number {
    if (this.#foreignSeen !== undefined) return this.#foreignSeen;
    const row = this.#onWriter.get('PRAGMA data_version', []) as { data_version: number };
    this.#foreignSeen = row.data_version;
    setImmediate(() => {
      this.#foreignSeen = undefined;
    });
    return row.data_version;
  }

  undoneWrites(): number {
    return this.#committer.undone;
  }

  load(): StoreLoad {
    return this.#committer.load();
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeOnce();
    return this.#closed;
  }

  async #closeOnce(): Promise<void> {
    await this.#committer.drain();
    this.#reader.close();
    // A checkpoint that another process prevents is no loss: the log stays and is replayed at the next opening.
    this.#writer.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    this.#writer.close();
  }
}
