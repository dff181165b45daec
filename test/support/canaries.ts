import { createBrowser, type HttpBrowser, type Page } from './http-client.ts';

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
          for (const [text, shape] of [[needle, ''], [squeezed(needle), ', broken over lines']] as const)
            if (!this.#needles.has(text)) this.#needles.set(text, `${name} (${spelling}${shape})`);
        }
      }
    }
  }

  /** The kinds of values kept so far. */
  get names(): readonly string[] {
    return [...this.#names].sort();
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
export function spellingsOf(value: string): Readonly<Record<string, string>> {
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
export function watchedBrowser(origin: string, canaries: Canaries, userAgent: string): HttpBrowser {
  const browser = createBrowser(origin, {
    accept: 'text/html',
    'accept-language': 'zh-CN',
    'user-agent': userAgent,
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
