import { connect, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';
const ANSWER_DEADLINE_MS = 30_000;

/** What a server answered. The body stays bytes until somebody asks for text: most answers are only counted. */
export class Answer {
  readonly status: number;
  readonly head: string;
  readonly bytes: Buffer;

  constructor(status: number, head: string, bytes: Buffer) {
    this.status = status;
    this.head = head;
    this.bytes = bytes;
  }

  get text(): string {
    return this.bytes.toString('utf8');
  }

  /** The first value of a header field, or undefined. `name` is written in lower case. */
  header(name: string): string | undefined {
    return this.headers(name)[0];
  }

  /** Every value of a header field, in the order received. `name` is written in lower case. */
  headers(name: string): readonly string[] {
    const values: string[] = [];
    for (const line of this.head.split('\r\n')) {
      const colon = line.indexOf(':');
      if (colon === name.length && line.slice(0, colon).toLowerCase() === name)
        values.push(line.slice(colon + 1).trim());
    }
    return values;
  }
}

/** The connection ended, or stayed silent past its deadline, before an answer was complete. */
export class NoAnswer extends Error {
  readonly firstOnSocket: boolean;
  readonly silent: boolean;

  constructor(message: string, firstOnSocket: boolean, silent: boolean) {
    super(message);
    this.name = 'NoAnswer';
    this.firstOnSocket = firstOnSocket;
    this.silent = silent;
  }
}

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: NoAnswer) => void;
  readonly bodiless: boolean;
}

/**
 * One keep-alive connection with at most one request under way (RFC 9112). It takes the request as finished bytes and
 * reads no more of the answer than it must: the load it makes shares the machine with the server it measures, and the
 * fuzzer has to send what no well-behaved client would. Only plain HTTP on loopback.
 */
export class Connection {
  readonly #host: string;
  readonly #port: number;
  readonly #deadlineMs: number;
  readonly #localAddress: string | undefined;
  #socket: Socket | undefined;
  #pending: Pending | undefined;
  #received: Buffer | undefined;
  #answersOnSocket = 0;

  /** `localAddress`: the loopback address to come from. */
  constructor(origin: URL, deadlineMs = ANSWER_DEADLINE_MS, localAddress?: string) {
    this.#localAddress = localAddress;
    this.#host = origin.hostname.replace(/^\[|\]$/g, '');
    this.#port = Number(origin.port || 80);
    this.#deadlineMs = deadlineMs;
  }

  /**
   * Sends one request and gives its answer; rejects with `NoAnswer`. A connection the server closed while it lay idle
   * is opened anew, and a request that hit exactly that moment is sent once more.
   */
  async exchange(request: string | Buffer, bodiless = false): Promise<Answer> {
    try {
      return await this.#exchangeOnce(request, bodiless);
    } catch (error) {
      if (!(error instanceof NoAnswer) || error.firstOnSocket || error.silent) throw error;
      return this.#exchangeOnce(request, bodiless);
    }
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #exchangeOnce(request: string | Buffer, bodiless: boolean): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject, bodiless };
      this.#received = undefined;
      this.#socket ??= this.#open();
      this.#socket.write(request);
    });
  }

  #open(): Socket {
    const socket = connect({
      host: this.#host,
      port: this.#port,
      noDelay: true,
      ...(this.#localAddress === undefined ? {} : { localAddress: this.#localAddress }),
    });
    this.#answersOnSocket = 0;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    socket.setTimeout(this.#deadlineMs, () => {
      if (this.#pending) this.#fail(socket, `no answer within ${this.#deadlineMs} ms`, true);
    });
    socket.on('close', () => this.#closed(socket));
    return socket;
  }

  #closed(socket: Socket): void {
    if (this.#socket !== socket) return;
    const untilClose = this.#received && this.#pending && parse(this.#received, this.#pending.bodiless, true);
    if (untilClose) this.#settle(untilClose);
    else this.#fail(socket, 'connection closed before an answer', false);
  }

  #fail(socket: Socket, message: string, silent: boolean): void {
    this.#socket = undefined;
    socket.destroy();
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(new NoAnswer(message, this.#answersOnSocket === 0, silent));
  }

  #receive(chunk: Buffer): void {
    if (!this.#pending) {
      this.close();
      return;
    }
    this.#received = this.#received ? Buffer.concat([this.#received, chunk]) : chunk;
    const answer = parse(this.#received, this.#pending.bodiless, false);
    if (answer) this.#settle(answer);
  }

  #settle(answer: Answer): void {
    this.#answersOnSocket += 1;
    if (/\r\nconnection: *close/i.test(answer.head)) this.close();
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.resolve(answer);
  }
}

/** The answer at the start of `received`, or undefined while it is incomplete. `closed`: no more bytes will come. */
function parse(received: Buffer, bodiless: boolean, closed: boolean): Answer | undefined {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = received.toString('latin1', 0, headEnd);
  const status = Number(head.slice(9, 12));
  const bodyStart = headEnd + HEAD_END.length;
  if (status >= 100 && status < 200) return parse(received.subarray(bodyStart), bodiless, closed);
  if (bodiless || status === 204 || status === 304) return new Answer(status, head, Buffer.alloc(0));
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const bodyEnd = bodyStart + Number(length);
    return received.length < bodyEnd ? undefined : new Answer(status, head, received.subarray(bodyStart, bodyEnd));
  }
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    const body = joinChunks(received, bodyStart);
    return body && new Answer(status, head, body);
  }
  return closed ? new Answer(status, head, received.subarray(bodyStart)) : undefined;
}

/** The decoded body of a chunked message (RFC 9112 section 7.1), or undefined while the last chunk is missing. */
function joinChunks(received: Buffer, bodyStart: number): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = bodyStart; ; ) {
    const lineEnd = received.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(received.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (received.length < next) return undefined;
    if (size === 0) return Buffer.concat(parts);
    parts.push(received.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}
