import type { SqlValue } from './database.ts';

const START_BYTES = 16 * 1024;
/** What a rare long batch needed is not kept for all that follow. */
const KEPT_BYTES_MAX = 1024 * 1024;
/** A character of a JavaScript string becomes three bytes of UTF-8 at most. */
const BYTES_A_CHARACTER_MAX = 3;
const TEXT_FORMAT = 0;
const BINARY_FORMAT = 1;
const CODE = { parse: 0x50, bind: 0x42, describe: 0x44, execute: 0x45, sync: 0x53, portal: 0x50 } as const;
/** `describe` of the unnamed portal, `execute` of all its rows, and `sync`: the same bytes each time. */
const DESCRIBE = Buffer.from([CODE.describe, 0, 0, 0, 6, CODE.portal, 0]);
const EXECUTE = Buffer.from([CODE.execute, 0, 0, 0, 9, 0, 0, 0, 0, 0]);
const SYNC = Buffer.from([CODE.sync, 0, 0, 0, 4]);

/**
 * Puts messages of PostgreSQL's protocol 3.0 (extended query) one after another into one piece of memory, so that several statements are one write to
 * the socket. `take` hands out what was written and begins anew.
 */
export class PostgresMessages {
  #buffer = Buffer.allocUnsafe(START_BYTES);
  #at = 0;

  parse(name: string, text: string): void {
    const start = this.#begin(CODE.parse);
    this.#ended(name);
    this.#ended(text);
    // The types of the parameters follow from the statement.
    this.#int16(0);
    this.#end(start);
  }

  /** Binds the unnamed portal; results come as text. */
  bind(name: string, values: readonly SqlValue[]): void {
    const start = this.#begin(CODE.bind);
    this.#ended('');
    this.#ended(name);
    this.#int16(values.length);
    for (const value of values) {
      this.#int16(typeof value === 'object' && value !== null ? BINARY_FORMAT : TEXT_FORMAT);
    }
    this.#int16(values.length);
    for (const value of values) this.#value(value);
    this.#int16(0);
    this.#end(start);
  }

  describe(): void {
    this.#bytes(DESCRIBE);
  }

  execute(): void {
    this.#bytes(EXECUTE);
  }

  sync(): void {
    this.#bytes(SYNC);
  }

  /** Forgets what was begun. */
  discard(): void {
    this.#at = 0;
  }

  take(): Buffer {
    const taken = Buffer.from(this.#buffer.subarray(0, this.#at));
    this.#at = 0;
    if (this.#buffer.length > KEPT_BYTES_MAX) this.#buffer = Buffer.allocUnsafe(START_BYTES);
    return taken;
  }

  #begin(code: number): number {
    this.#need(5);
    this.#buffer[this.#at] = code;
    this.#at += 5;
    return this.#at - 4;
  }

  /** The length counts itself and not the code in front of it. */
  #end(start: number): void {
    this.#buffer.writeInt32BE(this.#at - start, start);
  }

  #value(value: SqlValue): void {
    // What is left out of a row is nothing as well.
    if (value == null) {
      this.#need(4);
      this.#at = this.#buffer.writeInt32BE(-1, this.#at);
    } else if (typeof value === 'object') {
      this.#need(4);
      this.#at = this.#buffer.writeInt32BE(value.length, this.#at);
      this.#bytes(value);
    } else {
      const text = typeof value === 'number' ? String(value) : value;
      this.#need(4 + text.length * BYTES_A_CHARACTER_MAX);
      const length = this.#buffer.write(text, this.#at + 4);
      this.#buffer.writeInt32BE(length, this.#at);
      this.#at += 4 + length;
    }
  }

  #ended(text: string): void {
    this.#need(text.length * BYTES_A_CHARACTER_MAX + 1);
    this.#at += this.#buffer.write(text, this.#at);
    this.#buffer[this.#at] = 0;
    this.#at += 1;
  }

  #int16(value: number): void {
    this.#need(2);
    this.#at = this.#buffer.writeUInt16BE(value, this.#at);
  }

  #bytes(bytes: Uint8Array): void {
    this.#need(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #need(more: number): void {
    if (this.#at + more <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + more));
    larger.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = larger;
  }
}
