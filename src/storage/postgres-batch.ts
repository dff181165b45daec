import pg from 'pg';
import type { SqlValue } from './database.ts';
import { PostgresMessages } from './postgres-messages.ts';

const OID = { bytes: 17, int8: 20, int4: 23, text: 25 } as const;
/** Texts that get a prepared statement on the server; they are constants of the code, so this is never reached. */
const NAMES_MAX = 512;
const UNNAMED = '';

/** One statement with its values. Named ones are parsed by each connection once, and what their rows look like is asked once. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly SqlValue[];
}

export type Row = Record<string, unknown>;

/** `count`: rows that were changed or returned. `command`: what the server says it did, as `COMMIT`. */
export interface Answer {
  readonly rows: readonly Row[];
  readonly count: number;
  readonly command: string;
}

/** Statements after one that failed were not carried out: `answers` has those before it. */
export interface Outcome {
  readonly answers: readonly Answer[];
  readonly failed?: { readonly at: number; readonly error: unknown };
}

type Parser = ((value: string) => unknown) | undefined;

/** How the rows of a statement are read: `parsers` are undefined where a text stays what it is. */
interface Shape {
  readonly names: readonly string[];
  readonly parsers: readonly Parser[];
}

const names = new Map<string, string>();
/** What each connection has prepared; the shape is known once the statement was carried out. */
const preparedOn = new WeakMap<pg.Connection, Map<string, Shape | undefined>>();
const NO_ROWS: Shape = { names: [], parsers: [] };
const messages = new PostgresMessages();

/** A statement of the code: its text is a constant and is prepared, unless it takes no values and so runs once. */
export function statement(text: string, values: readonly SqlValue[]): Statement {
  if (values.length === 0) return { name: UNNAMED, text, values };
  let name = names.get(text);
  if (name === undefined && names.size < NAMES_MAX) {
    name = `tongban_${names.size + 1}`;
    names.set(text, name);
  }
  return { name: name ?? UNNAMED, text, values };
}

/** A statement whose text varies, as the query builder makes them. */
export const passingStatement = (text: string, values: readonly SqlValue[]): Statement => ({
  name: UNNAMED,
  text,
  values,
});

/** BEGIN, COMMIT and ROLLBACK, prepared like the rest. */
export const control = (command: 'BEGIN' | 'COMMIT' | 'ROLLBACK'): Statement => ({
  name: `tongban_${command.toLowerCase()}`,
  text: command,
  values: [],
});

/**
 * Carries out statements in order, as one write to the socket and one answer of the server. Outside a transaction they are one implicit
 * transaction, so that a failure undoes those before it as well. Never rejects.
 */
export function carryOut(client: pg.ClientBase, statements: readonly Statement[]): Promise<Outcome> {
  return new Promise((resolve) => {
    client.query(new PostgresBatch(statements, resolve));
  });
}

/** What the driver hands the connection to, and tells of each message that comes back. */
class PostgresBatch implements pg.Submittable {
  readonly statements: readonly Statement[];
  /** The driver puts its time limit around it. */
  callback: (error?: unknown) => void;
  readonly #answers: Answer[] = [];
  #prepared: Map<string, Shape | undefined> = new Map();
  /** Names in the order in which the server was asked to prepare them. */
  readonly #parsing: string[] = [];
  #stopHearing: (() => void) | undefined;
  #rows: Row[] = [];
  #shape: Shape | undefined;

  constructor(statements: readonly Statement[], resolve: (outcome: Outcome) => void) {
    this.statements = statements;
    this.callback = (error) =>
      resolve(
        error == null
          ? { answers: this.#answers }
          : { answers: this.#answers, failed: { at: this.#answers.length, error } },
      );
  }

  /** An error that is returned is told of by the driver, and nothing was sent: a value that no column takes. */
  submit(connection: pg.Connection): Error | undefined {
    this.#prepared = preparedOn.get(connection) ?? new Map();
    preparedOn.set(connection, this.#prepared);
    try {
      this.#write();
    } catch (error) {
      messages.discard();
      return error instanceof Error ? error : new Error('a statement cannot be written');
    }
    if (this.#parsing.length > 0) this.#hearParsing(connection);
    connection.stream.write(messages.take());
    return undefined;
  }

  #write(): void {
    for (const { name, text, values } of this.statements) {
      if (name === UNNAMED || !(this.#prepared.has(name) || this.#parsing.includes(name))) {
        messages.parse(name, text);
        this.#parsing.push(name);
      }
      messages.bind(name, values);
      if (this.#prepared.get(name) === undefined) messages.describe();
      messages.execute();
    }
    messages.sync();
  }

  handleRowDescription({ fields }: { readonly fields: readonly { name: string; dataTypeID: number }[] }): void {
    this.#shape = {
      names: fields.map(({ name }) => name),
      parsers: fields.map(({ dataTypeID }) => parserOf(dataTypeID)),
    };
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    this.#shape ??= this.#prepared.get(this.#current.name);
    const { names: columns, parsers } = this.#shape!;
    const row: Row = {};
    for (let at = 0; at < fields.length; at += 1) {
      const value = fields[at]!;
      const parse = parsers[at];
      row[columns[at]!] = value === null || parse === undefined ? value : parse(value);
    }
    this.#rows.push(row);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const { name } = this.#current;
    if (name !== UNNAMED && this.#prepared.get(name) === undefined) this.#prepared.set(name, this.#shape ?? NO_ROWS);
    const last = text.lastIndexOf(' ');
    const first = text.indexOf(' ');
    this.#answers.push({
      rows: this.#rows,
      count: last < 0 ? 0 : Number(text.slice(last + 1)) || 0,
      command: first < 0 ? text : text.slice(0, first),
    });
    this.#rows = [];
    this.#shape = undefined;
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' });
  }

  handleReadyForQuery(): void {
    this.#stopHearing?.();
    this.callback();
  }

  /** Of the server, of a broken connection, or of the driver's own time limit. */
  handleError(error: unknown): void {
    this.#stopHearing?.();
    this.callback(error);
  }

  get #current(): Statement {
    return this.statements[this.#answers.length]!;
  }

  /** A statement may be prepared and then fail: what the server has prepared is what it says it has. */
  #hearParsing(connection: pg.Connection): void {
    const parsing = this.#parsing.values();
    const hear = (): void => {
      const { value: name } = parsing.next();
      if (name !== undefined && name !== UNNAMED) this.#prepared.set(name, undefined);
    };
    connection.on('parseComplete', hear);
    this.#stopHearing = () => {
      connection.off('parseComplete', hear);
      this.#stopHearing = undefined;
    };
  }
}

/** int8 as a number: times in seconds and counts stay far below 2^53. */
function parserOf(oid: number): Parser {
  switch (oid) {
    case OID.text:
      return undefined;
    case OID.int4:
    case OID.int8:
      return Number;
    default:
      return pg.types.getTypeParser(oid, 'text');
  }
}
