import { type Answer, Connection } from './connection.ts';

interface Cookie {
  readonly value: string;
  readonly path: string;
}

/** A form of a page: where it goes, and what it would send untouched. `fields` holds the names of all its controls. */
export interface Form {
  readonly action: string;
  readonly hidden: Readonly<Record<string, string>>;
  readonly fields: ReadonlySet<string>;
}

/**
 * As much of a browser as signing in takes: cookies by name and path, redirects left to the caller, forms found by the
 * fields they offer. It drives every peer alike, so it may know the page of none.
 */
export class Browser {
  readonly connection: Connection;
  readonly #origin: string;
  readonly #host: string;
  #cookies = new Map<string, Cookie>();

  constructor(origin: URL, connection = new Connection(origin)) {
    this.connection = connection;
    this.#origin = origin.origin;
    this.#host = origin.host;
  }

  /** A browser of somebody else: the connection stays open, the cookies go. */
  forget(): void {
    this.#cookies = new Map();
  }

  /** The same cookies at another port of the same host. */
  at(origin: URL): Browser {
    const there = new Browser(origin);
    there.#cookies = new Map(this.#cookies);
    return there;
  }

  /** The cookies a request for `path` would carry (RFC 6265 section 5.4), as a header value. */
  cookiesFor(path: string): string {
    const bare = path.split('?', 1)[0]!;
    const sent: string[] = [];
    for (const [name, cookie] of this.#cookies) {
      if (pathMatches(bare, cookie.path)) sent.push(`${name}=${cookie.value}`);
    }
    return sent.join('; ');
  }

  async get(path: string): Promise<Answer> {
    const head = `GET ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nAccept: text/html\r\n${this.#cookieLine(path)}\r\n`;
    return this.#keepCookies(await this.connection.exchange(head), path);
  }

  /** Submits a form as a page of the same origin does. */
  async post(path: string, fields: Readonly<Record<string, string>>): Promise<Answer> {
    const body = new URLSearchParams(fields).toString();
    const head =
      `POST ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nAccept: text/html\r\nOrigin: ${this.#origin}\r\n` +
      'Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nContent-Type: application/x-www-form-urlencoded\r\n' +
      `Content-Length: ${body.length}\r\n${this.#cookieLine(path)}\r\n`;
    return this.#keepCookies(await this.connection.exchange(head + body), path);
  }

  /** A location as the server wrote it, turned into a path of this origin, or undefined if it leads elsewhere. */
  pathOf(location: string): string | undefined {
    if (location.startsWith('/') && !location.startsWith('//')) return location;
    if (location === this.#origin) return '/';
    return location.startsWith(`${this.#origin}/`) ? location.slice(this.#origin.length) : undefined;
  }

  #cookieLine(path: string): string {
    const cookies = this.cookiesFor(path);
    return cookies === '' ? '' : `Cookie: ${cookies}\r\n`;
  }

  #keepCookies(answer: Answer, path: string): Answer {
    if (!/\nset-cookie:/i.test(answer.head)) return answer;
    for (const line of answer.headers('set-cookie')) {
      const [pair, ...attributes] = line.split(/; */);
      const equals = pair!.indexOf('=');
      const name = pair!.slice(0, equals);
      const value = pair!.slice(equals + 1);
      const attribute = (wanted: string) =>
        attributes.find((text) => text.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1);
      const expired = /^Thu, 01 Jan 1970/.test(attribute('expires') ?? '') || attribute('max-age') === '0';
      if (value === '' || expired) this.#cookies.delete(name);
      else this.#cookies.set(name, { value, path: attribute('path') ?? defaultPath(path) });
    }
    return answer;
  }
}

/** RFC 6265 section 5.1.4. */
function pathMatches(requested: string, cookiePath: string): boolean {
  if (!requested.startsWith(cookiePath)) return false;
  return cookiePath.endsWith('/') || requested.length === cookiePath.length || requested[cookiePath.length] === '/';
}

function defaultPath(requested: string): string {
  const slash = requested.split('?', 1)[0]!.lastIndexOf('/');
  return slash <= 0 ? '/' : requested.slice(0, slash);
}

/** The forms of a page, in document order. */
export function formsOf(html: string): readonly Form[] {
  const forms: Form[] = [];
  for (const [, opening, content] of html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)) {
    const hidden: Record<string, string> = {};
    const fields = new Set<string>();
    for (const [control] of content!.matchAll(/<(?:input|button|select|textarea)\b[^>]*>/gi)) {
      const name = attributeOf(control, 'name');
      if (name === undefined) continue;
      fields.add(name);
      if (attributeOf(control, 'type')?.toLowerCase() === 'hidden') hidden[name] = attributeOf(control, 'value') ?? '';
    }
    // As the script of the product's pages does in every browser that runs it.
    if (/\sdata-at-once\b/.test(opening!)) hidden.at_once = '1';
    forms.push({ action: attributeOf(opening!, 'action') ?? '', hidden, fields });
  }
  return forms;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function attributeOf(tag: string, name: string): string | undefined {
  const found = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(tag);
  const raw = found?.[1] ?? found?.[2] ?? found?.[3];
  return raw?.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hexadecimal, named) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hexadecimal !== undefined) return String.fromCodePoint(Number.parseInt(hexadecimal, 16));
    return ENTITIES[named] ?? whole;
  });
}
