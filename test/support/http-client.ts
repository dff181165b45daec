import { type IncomingHttpHeaders, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { nowMs } from '../../src/shared/clock.ts';

const ANSWER_TIMEOUT_MS = 15_000;
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const REDIRECTS_MAX = 20;

/** What one request was answered. `url` is the address that was asked, or the one at which the page says it stands. */
export interface Page {
  readonly url: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly setCookies: readonly string[];
  readonly text: string;
  /** Where the answer points to, made absolute. */
  readonly location: string | undefined;
}

export interface Form {
  readonly action: string;
  readonly method: string;
  readonly fields: Record<string, string>;
}

export interface StoredCookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly hostOnly: boolean;
  readonly path: string;
  readonly secure: boolean;
  readonly httpOnly: boolean;
  readonly sameSite: string | undefined;
  readonly expiresAtMs: number;
}

/** Where `follow` stops before asking: an address that starts with the text, matches the pattern or satisfies the function. */
export type Stop = string | RegExp | ((url: URL) => boolean);

type Fields = Readonly<Record<string, string>> | URLSearchParams;
type Headers = Readonly<Record<string, string>>;

/** A browser without a screen: cookies by their rules, redirects only when told to, any number of origins. */
export interface HttpBrowser {
  /** The last page. */
  readonly page: Page;
  /** Paths stand on the origin the browser was made for; whole addresses go anywhere. */
  get(address: string, headers?: Headers): Promise<Page>;
  post(address: string, fields: Fields, headers?: Headers): Promise<Page>;
  /** Goes on from the last page until it is no redirect, or until the next address is a stop; returns the last page asked. */
  follow(stop?: Stop): Promise<Page>;
  /** Fills the first form of the last page whose action contains `actionPart`, and sends it as a browser would. */
  submit(fields?: Readonly<Record<string, string>>, actionPart?: string): Promise<Page>;
  cookies(): readonly StoredCookie[];
  cookie(name: string): StoredCookie | undefined;
  setCookie(address: string, header: string): void;
  forgetCookies(name?: string): void;
}

const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const defaultPath = ({ pathname }: URL): string => pathname.slice(0, Math.max(1, pathname.lastIndexOf('/')));

/** Reads one Set-Cookie header as RFC 6265 section 5.2-5.3 does; undefined when a browser would refuse it. */
function parseSetCookie(header: string, from: URL): StoredCookie | undefined {
  const [pair = '', ...attributeParts] = header.split(';');
  const equals = pair.indexOf('=');
  if (equals < 1) return undefined;
  const attributes = new Map(
    attributeParts.map((part) => {
      const [key = '', ...value] = part.trim().split('=');
      return [key.toLowerCase(), value.join('=')] as const;
    }),
  );
  const name = pair.slice(0, equals).trim();
  const domain = attributes.get('domain')?.replace(/^\./, '').toLowerCase();
  const secure = attributes.has('secure');
  const path = attributes.get('path');
  if (domain && from.hostname !== domain && !from.hostname.endsWith(`.${domain}`)) return undefined;
  if (secure && from.protocol !== 'https:' && !LOOPBACK.test(from.hostname)) return undefined;
  if (name.startsWith('__Secure-') && !secure) return undefined;
  if (name.startsWith('__Host-') && (!secure || domain || path !== '/')) return undefined;
  const maxAge = attributes.get('max-age');
  const expires = attributes.get('expires');
  const expiresAtMs =
    maxAge !== undefined ? nowMs() + Number(maxAge) * 1000 : expires !== undefined ? Date.parse(expires) : Infinity;
  return {
    name,
    value: pair.slice(equals + 1).trim(),
    domain: domain || from.hostname,
    hostOnly: !domain,
    path: path?.startsWith('/') ? path : defaultPath(from),
    secure,
    httpOnly: attributes.has('httponly'),
    sameSite: attributes.get('samesite')?.toLowerCase(),
    expiresAtMs,
  };
}

function travels(cookie: StoredCookie, to: URL): boolean {
  const { domain, hostOnly, path, secure, expiresAtMs } = cookie;
  const hostFits = to.hostname === domain || (!hostOnly && to.hostname.endsWith(`.${domain}`));
  const pathFits =
    to.pathname === path || (to.pathname.startsWith(path) && (path.endsWith('/') || to.pathname[path.length] === '/'));
  const safe = !secure || to.protocol === 'https:' || LOOPBACK.test(to.hostname);
  return hostFits && pathFits && safe && expiresAtMs > nowMs();
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const unescaped = (text: string): string =>
  text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? whole;
    return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal));
  });

function attributesOf(tag: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const match of tag.matchAll(/([\w:-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)) {
    attributes.set(match[1]!.toLowerCase(), unescaped(match[2] ?? match[3] ?? match[4] ?? ''));
  }
  return attributes;
}

/**
 * The first form of a page whose action contains `actionPart`, with the fields a browser would send if nothing were touched:
 * hidden and text inputs, ticked boxes, the chosen option of a list, the text of a text area, and the first named submit button.
 * Throws when there is no such form.
 */
export function formOf(html: string, actionPart = ''): Form {
  for (const [, tag = '', body = ''] of html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)) {
    const attributes = attributesOf(tag);
    const action = attributes.get('action') ?? '';
    if (!action.includes(actionPart)) continue;
    return { action, method: (attributes.get('method') ?? 'get').toLowerCase(), fields: fieldsOf(body) };
  }
  throw new Error(`There is no form ${actionPart} on this page: ${html.slice(0, 500)}`);
}

function fieldsOf(body: string): Record<string, string> {
  const fields: Record<string, string> = {};
  let buttonTaken = false;
  for (const match of body.matchAll(
    /<(input|button)\b([^>]*)>|<textarea\b([^>]*)>([\s\S]*?)<\/textarea>|<select\b([^>]*)>([\s\S]*?)<\/select>/gi,
  )) {
    const [, element, inputTag, areaTag, areaText, listTag, options] = match;
    const attributes = attributesOf(inputTag ?? areaTag ?? listTag ?? '');
    const name = attributes.get('name');
    if (name === undefined || name === '' || attributes.has('disabled')) continue;
    if (areaText !== undefined) fields[name] = unescaped(areaText);
    else if (options !== undefined) fields[name] = chosenOption(options);
    else {
      const isButton = element?.toLowerCase() === 'button';
      const type = attributes.get('type')?.toLowerCase() ?? (isButton ? 'submit' : 'text');
      const ticking = type === 'checkbox' || type === 'radio';
      if (type === 'button' || type === 'reset' || (ticking && !attributes.has('checked'))) continue;
      if (type === 'submit' && buttonTaken) continue;
      buttonTaken ||= type === 'submit';
      fields[name] = attributes.get('value') ?? (ticking ? 'on' : '');
    }
  }
  return fields;
}

function chosenOption(options: string): string {
  const all = [...options.matchAll(/<option\b([^>]*)>([^<]*)/gi)].map(([, tag = '', text = '']) => {
    return { attributes: attributesOf(tag), text: unescaped(text).trim() };
  });
  const chosen = all.find(({ attributes }) => attributes.has('selected')) ?? all[0];
  return chosen?.attributes.get('value') ?? chosen?.text ?? '';
}

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string | undefined;
}

function ask({ method, url, headers, body }: Asked): Promise<Page> {
  const request = url.protocol === 'https:' ? requestTls : requestPlain;
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, timeout: ANSWER_TIMEOUT_MS, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > BODY_BYTES_MAX) answer.destroy(new Error(`The answer of ${url.href} is too large.`));
        chunks.push(chunk);
      });
      answer.on('error', reject);
      answer.on('end', () => {
        const { location } = answer.headers;
        const own = answer.headers['content-location'];
        resolve({
          url: own === undefined ? url.href : new URL(own, url).href,
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          setCookies: answer.headers['set-cookie'] ?? [],
          text: Buffer.concat(chunks).toString('utf8'),
          location: location === undefined ? undefined : new URL(location, url).href,
        });
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`${url.href} did not answer in time.`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

function isStop(stop: Stop | undefined, address: string): boolean {
  if (stop === undefined) return false;
  if (typeof stop === 'string') return address.startsWith(stop);
  return stop instanceof RegExp ? stop.test(address) : stop(new URL(address));
}

class Browser implements HttpBrowser {
  readonly #origin: string;
  readonly #headers: Headers;
  #jar: StoredCookie[] = [];
  #page: Page | undefined;

  constructor(origin: string, headers: Headers) {
    this.#origin = origin;
    this.#headers = headers;
  }

  get page(): Page {
    if (this.#page === undefined) throw new Error('This browser has not asked for anything yet.');
    return this.#page;
  }

  get(address: string, headers: Headers = {}): Promise<Page> {
    return this.#visit('GET', new URL(address, this.#origin), headers, undefined);
  }

  post(address: string, fields: Fields, headers: Headers = {}): Promise<Page> {
    const url = new URL(address, this.#origin);
    const form = {
      'content-type': 'application/x-www-form-urlencoded',
      origin: url.origin,
      'sec-fetch-site': 'same-origin',
      ...headers,
    };
    return this.#visit('POST', url, form, new URLSearchParams(fields as Record<string, string>).toString());
  }

  async follow(stop?: Stop): Promise<Page> {
    for (let hop = 0; hop < REDIRECTS_MAX; hop += 1) {
      const { status, location } = this.page;
      if (status < 300 || status > 399 || location === undefined || isStop(stop, location)) return this.page;
      await this.get(location);
    }
    throw new Error(`More than ${REDIRECTS_MAX} redirects; the last pointed to ${this.page.location}`);
  }

  submit(fields: Readonly<Record<string, string>> = {}, actionPart = ''): Promise<Page> {
    const form = formOf(this.page.text, actionPart);
    const url = new URL(form.action, this.page.url);
    const filled = { ...form.fields, ...fields };
    if (form.method === 'post') {
      const { origin } = new URL(this.page.url);
      return this.post(url.href, filled, { origin, referer: this.page.url });
    }
    url.search = new URLSearchParams(filled).toString();
    return this.get(url.href);
  }

  cookies(): readonly StoredCookie[] {
    return this.#jar.filter(({ expiresAtMs }) => expiresAtMs > nowMs());
  }

  cookie(name: string): StoredCookie | undefined {
    return this.cookies().find((cookie) => cookie.name === name);
  }

  setCookie(address: string, header: string): void {
    const cookie = parseSetCookie(header, new URL(address, this.#origin));
    if (cookie === undefined) return;
    const { name, domain, path } = cookie;
    this.#jar = this.#jar.filter((kept) => kept.name !== name || kept.domain !== domain || kept.path !== path);
    this.#jar.push(cookie);
  }

  forgetCookies(name?: string): void {
    this.#jar = name === undefined ? [] : this.#jar.filter((cookie) => cookie.name !== name);
  }

  async #visit(method: string, url: URL, headers: Headers, body: string | undefined): Promise<Page> {
    const fitting = this.#jar.filter((cookie) => travels(cookie, url)).sort((a, b) => b.path.length - a.path.length);
    const cookie = fitting.map(({ name, value }) => `${name}=${value}`).join('; ');
    const all = { ...this.#headers, ...(cookie === '' ? {} : { cookie }), ...headers };
    this.#page = await ask({ method, url, headers: all, body });
    for (const header of this.#page.setCookies) this.setCookie(url.href, header);
    return this.#page;
  }
}

/** A new browser with an empty jar. `headers` go with every request; `Host` may be among them. */
export function createBrowser(
  origin: string,
  headers: Headers = { accept: 'text/html', 'accept-language': 'zh-CN' },
): HttpBrowser {
  return new Browser(origin, headers);
}
