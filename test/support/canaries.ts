import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ExecutionContext } from 'ava';
import { createBrowser, type HttpBrowser, type Page } from './http-client.ts';
import { webServer } from './listeners.ts';
import { type Ended, freshPlace, type Product, startProduct, tongban } from './product.ts';
import { authorizationPath, callbackOf, freePort, type TestPortal } from './server.ts';

export const USER_AGENT = 'Mozilla/5.0 (a browser of this test)';

/** A longer value is looked for by its beginning, middle and end, so that a piece of it is found as well. */
const PIECE_CHARACTERS = 24;
const COOKIE_CHARACTERS_MIN = 16;
/** What stands between two halves of a value that was broken over lines: also as written in JSON, in a form and in CSV. */
const BREAKS = /\s|\\[nrt]|%0[AaDd]|%20|"/g;

/** Values that must turn up nowhere. Each is reported by its name and the spelling it was found in, never by itself. */
export class Canaries {
  readonly #needles = new Map<string, string>();
  readonly #names = new Set<string>();

  /** Looks out for this value from now on, however it is encoded. */
  keep(name: string, ...values: readonly unknown[]): void {
    for (const value of values) {
      if (typeof value !== 'string' || value === '') throw new Error(`no value of ${name}`);
      this.#names.add(name);
      for (const piece of piecesOf(value)) {
        for (const [spelling, needle] of Object.entries(spellingsOf(piece))) {
          for (const [text, shape] of [
            [needle, ''],
            [squeezed(needle), ', broken over lines'],
          ] as const)
            if (!this.#needles.has(text)) this.#needles.set(text, `${name} (${spelling}${shape})`);
        }
      }
    }
  }

  /** The kinds of values kept so far. */
  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** What of all that stands in the text. */
  foundIn(text: string): readonly string[] {
    const views = [text, squeezed(text), squeezed(text.normalize('NFKC'))];
    const found = [...this.#needles].filter(([needle]) => views.some((view) => view.includes(needle)));
    return [...new Set(found.map(([, name]) => name))].sort();
  }
}

const squeezed = (text: string): string => text.replace(BREAKS, '');

function piecesOf(value: string): readonly string[] {
  if (value.length <= 2 * PIECE_CHARACTERS) return [value];
  const middle = Math.floor((value.length - PIECE_CHARACTERS) / 2);
  const parts = [0, middle, value.length - PIECE_CHARACTERS].map((at) => value.slice(at, at + PIECE_CHARACTERS));
  // A signed token is three values behind one another, and its header is the same in all of them.
  return /^eyJ/.test(value) ? parts.slice(1) : parts;
}

/** How a value may look in a place it has slipped into. */
function spellingsOf(value: string): Readonly<Record<string, string>> {
  const bytes = Buffer.from(value, 'utf8');
  const hex = bytes.toString('hex');
  return {
    plain: value,
    'in JSON': JSON.stringify(value).slice(1, -1),
    'in JSON, ASCII alone': asciiJson(value),
    'URL-encoded': encodeURIComponent(value),
    'in a form': new URLSearchParams({ v: value }).toString().slice(2),
    hex,
    HEX: hex.toUpperCase(),
    ...Object.fromEntries(
      [0, 1, 2].flatMap((offset) => [
        [`base64 at ${offset}`, innerBase64(bytes, offset)],
        [`base64url at ${offset}`, innerBase64(bytes, offset).replaceAll('+', '-').replaceAll('/', '_')],
      ]),
    ),
  };
}

const asciiJson = (value: string): string =>
  value.replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The part of the Base64 of a longer text that this value alone decides, when it begins `offset` bytes after a group of three. */
function innerBase64(bytes: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  const [skipped, whole] = [Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6)];
  return encoded.slice(skipped, whole);
}

/** Every way people write an ID number that the house reads as one, and the 15 digits of a first-generation card. */
export function writtenWays(idNumber: string): Readonly<Record<'plain' | 'wide' | 'spaced' | 'short', string>> {
  return {
    plain: idNumber,
    wide: idNumber.replaceAll(/[0-9X]/g, (sign) => String.fromCodePoint(sign.charCodeAt(0) + 0xfee0)),
    spaced: `${idNumber.slice(0, 6)} ${idNumber.slice(6, 14)} ${idNumber.slice(14).toLowerCase()}`,
    short: `${idNumber.slice(0, 6)}${idNumber.slice(8, 17)}`,
  };
}

/** A browser that keeps what each page entrusts to it: cookies, form tokens, and codes on their way to a portal. */
function watchedBrowser(origin: string, canaries: Canaries): HttpBrowser {
  const browser = createBrowser(origin, {
    accept: 'text/html',
    'accept-language': 'zh-CN',
    'user-agent': USER_AGENT,
  });
  const keep = (page: Page): Page => {
    for (const { name, value } of browser.cookies())
      if (value.length >= COOKIE_CHARACTERS_MIN) canaries.keep(`cookie ${name.replace(/^__Host-/, '')}`, value);
    for (const [, name = '', value = ''] of page.text.matchAll(/name="(form_token|xsrf)" value="([^"]+)"/g))
      canaries.keep(name, value);
    const sent = page.location === undefined ? undefined : new URL(page.location).searchParams.get('code');
    if (typeof sent === 'string') canaries.keep('code', sent);
    return page;
  };
  const [get, post] = [browser.get.bind(browser), browser.post.bind(browser)];
  return Object.assign(browser, {
    get: async (...asked: Parameters<HttpBrowser['get']>) => keep(await get(...asked)),
    post: async (...asked: Parameters<HttpBrowser['post']>) => keep(await post(...asked)),
  });
}

const isAway = ({ hostname }: URL): boolean => hostname !== 'localhost';

/** Sends the form of the sign-in page and goes on to a page that asks something, or to the portal. */
export async function fill(browser: HttpBrowser, identifier: string, password: string): Promise<void> {
  await browser.submit({ identifier, password }, '/identify');
  await browser.follow(isAway);
}

/** Presses a button of the page the browser is on. */
export async function decide(browser: HttpBrowser, decision: string, action: string): Promise<URL> {
  await browser.submit({ decision }, action);
  await browser.follow(isAway);
  return callbackOf(browser.page);
}

/** Asks for a sign-in at a portal, with a state and a nonce that are canaries, up to the first page that asks something. */
export async function begin(
  { canaries }: Pick<CanaryStage, 'canaries'>,
  browser: HttpBrowser,
  portal: TestPortal,
  query: Readonly<Record<string, string>>,
): Promise<void> {
  const secrets = { state: `state-${randomUUID()}`, nonce: `nonce-${randomUUID()}` };
  for (const [name, value] of Object.entries(secrets)) canaries.keep(name, value);
  await browser.get(authorizationPath(portal, { ...secrets, ...query }));
  await browser.follow(isAway);
}

const FEEDS = ['json', 'cef'].flatMap((format) => [
  { name: format, kind: 'file', address: `${format}.log`, format },
  { name: `${format}-open`, kind: 'file', address: `${format}-open.log`, format, reveal: true },
]);

/** What a portal's server was answered. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, string>>;
}

/** A whole product with everything switched on that leaves traces, and all that is not to be found in them. */
export interface CanaryStage {
  readonly issuer: string;
  readonly canaries: Canaries;
  /** Where the feeds write, and where commands may. */
  readonly folder: string;
  /** A portal's own server: its origin, and the bodies it was sent. */
  readonly receiver: { readonly origin: string; readonly bodies: readonly string[] };
  browser(): HttpBrowser;
  /** Runs `tongban ARGS` beside the server. `shown` is named and may stand in its answer, and nowhere else. */
  command(args: readonly string[], input?: string, shown?: (stdout: string) => string | undefined): Promise<Ended>;
  /** Posts as a portal's server; tokens that come back are kept. */
  call(
    portal: TestPortal,
    path: string,
    fields: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answered>;
  /** Stops the server and gives everything it and its commands have left for others to read, by place. */
  traces(): Promise<ReadonlyMap<string, string>>;
}

export async function canaryStage(t: ExecutionContext): Promise<CanaryStage> {
  const place = await freshPlace(t);
  const folder = join(place.dataDir, '..', 'outside');
  mkdirSync(folder);
  const feedsFile = join(place.dataDir, '..', 'feeds.json');
  writeFileSync(feedsFile, JSON.stringify(FEEDS.map((feed) => ({ ...feed, address: join(folder, feed.address) }))));
  const bodies: string[] = [];
  const origin = await webServer(t, (request, response) => {
    request.setEncoding('utf8').on('data', (body: string) => bodies.push(body));
    request.on('end', () => response.writeHead(200).end());
  });
  const monitoringPort = await freePort();
  const env = {
    TONGBAN_PROFILE: 'test',
    TONGBAN_PORT: String(place.port),
    TONGBAN_DATA_DIR: place.dataDir,
    TONGBAN_LOG_LEVEL: 'trace',
    TONGBAN_LOG_DESTINATION: 'file',
    TONGBAN_MONITORING_PORT: String(monitoringPort),
    TONGBAN_MONITORING_FEEDS_FILE: feedsFile,
    TONGBAN_OUTBOUND_ALLOWED_ORIGINS: origin,
    TONGBAN_OUTBOX_POLL_INTERVAL_MS: '50',
    TONGBAN_LEDGER_CHECKPOINT_INTERVAL_MS: '100',
    TONGBAN_LIMITS_FAILURES_PER_ACCOUNT: '100',
    TONGBAN_TTL_REFRESH_RETRY_SECONDS: '0',
    TONGBAN_WATCH_REFRESH_REUSE_RESPONSE: 'alert',
  };
  const canaries = new Canaries();
  const said: string[] = [];
  const product = await startProduct(t, place, env);
  const { issuer } = product;
  return {
    issuer,
    canaries,
    folder,
    receiver: { origin, bodies },
    browser: () => watchedBrowser(issuer, canaries),
    async command(args, input = '', shown = () => undefined) {
      const ended = await tongban(args, env, input);
      const secret = shown(ended.stdout);
      if (secret !== undefined) canaries.keep('client secret', secret);
      said.push(secret === undefined ? ended.stdout : ended.stdout.replace(secret, ''), ended.stderr);
      return ended;
    },
    call: (...asked) => callAs(issuer, canaries, ...asked),
    traces: () => tracesOf(product, { folder, said, monitoringUrl: `http://127.0.0.1:${monitoringPort}` }),
  };
}

async function callAs(
  issuer: string,
  canaries: Canaries,
  { id, secret }: TestPortal,
  path: string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const open = secret === '';
  const answer = await fetch(issuer + path, {
    method: 'POST',
    headers: { ...(open ? {} : { authorization: `Basic ${btoa(`${id}:${secret}`)}` }), ...headers },
    body: new URLSearchParams(open ? { client_id: id, ...fields } : fields),
  });
  const text = await answer.text();
  const body = (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, string>;
  for (const name of ['access_token', 'refresh_token', 'id_token', 'request_uri'])
    if (body[name] !== undefined) canaries.keep(name, body[name].replace(/^urn:.*:/, ''));
  return { status: answer.status, headers: answer.headers, body };
}

interface Left {
  readonly folder: string;
  readonly said: readonly string[];
  readonly monitoringUrl: string;
}

async function tracesOf(product: Product, { folder, said, monitoringUrl }: Left): Promise<ReadonlyMap<string, string>> {
  const pages = ['/metrics', '/readyz', '/healthz', '/ledger/checkpoint'];
  const read = await Promise.all(pages.map(async (path) => (await fetch(monitoringUrl + path)).text()));
  await product.end('SIGTERM');
  const files = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);
  return new Map([
    ['the log', readFileSync(join(product.dataDir, 'tongban.log'), 'utf8')],
    ['the output of the server', product.said()],
    ['the output of the commands', said.join('\n')],
    ['the private port', read.join('\n')],
    ['the ledger', ledgerTexts(product.dataDir).join('\n')],
    ...files,
  ]);
}

function ledgerTexts(dataDir: string): readonly string[] {
  const database = new DatabaseSync(join(dataDir, 'tongban.db'), { readOnly: true });
  try {
    const rows = database.prepare('SELECT entry FROM ledger_entries ORDER BY seq').all();
    return rows.map(({ entry }) => String(entry));
  } finally {
    database.close();
  }
}
