import pg from 'pg';

/** What migration 0019 tells, with the name of the schema. */
const CHANNEL = 'tongban_changes';
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A network that swallows everything breaks no connection: only an answer that does not come shows it. */
const PING_MS = 10_000;
const ANSWER_MS_MAX = 3_000;
/** An engine that does not know LISTEN: 0A000 feature_not_supported, 42601 syntax_error. */
const UNKNOWN_TO_THE_ENGINE: ReadonlySet<string> = new Set(['0A000', '42601']);

export interface ListenerOptions {
  readonly url: string;
  readonly connectTimeoutMs: number;
  /** Told of each change, and each time the connection was made: what was told before that was heard by nobody. */
  readonly onHeard: () => void;
}

/**
 * Hears what PostgreSQL tells of changes, on a connection of its own. A lost one is made again, after a pause that doubles up to five seconds;
 * an engine that cannot tell is left alone.
 */
export class PostgresListener {
  readonly #options: ListenerOptions;
  readonly #stopping = Promise.withResolvers<void>();
  readonly #running: Promise<void>;
  #stopped = false;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopping.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#listen();
      } catch (error) {
        if (error instanceof pg.DatabaseError && UNKNOWN_TO_THE_ENGINE.has(error.code ?? '')) return;
      }
      await this.#pause(this.#pauseMs);
      this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }

  /** Listens until the connection breaks or we stop. */
  async #listen(): Promise<void> {
    const { url, connectTimeoutMs, onHeard } = this.#options;
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: ANSWER_MS_MAX,
      keepAlive: true,
    });
    const broken = Promise.withResolvers<void>();
    client.on('error', () => broken.resolve());
    client.on('end', () => broken.resolve());
    let schema: string | undefined;
    client.on('notification', ({ payload }) => {
      if (payload === schema) onHeard();
    });
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
      const { rows } = await client.query<{ schema: string }>('SELECT current_schema() AS schema');
      schema = rows[0]?.schema;
      onHeard();
      this.#pauseMs = FIRST_PAUSE_MS;
      let isAlive = true;
      broken.promise.then(() => {
        isAlive = false;
      });
      while (isAlive && !this.#stopped) {
        await Promise.race([broken.promise, this.#pause(PING_MS)]);
        if (isAlive && !this.#stopped) await client.query('SELECT 1');
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Ends early when we stop, and keeps no process alive. */
  async #pause(ms: number): Promise<void> {
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, ms);
    timer.unref();
    await Promise.race([over.promise, this.#stopping.promise]);
    clearTimeout(timer);
  }
}
