import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const PREFIX = '/assets/';

interface Asset {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly gzip: () => Buffer;
  readonly brotli: () => Buffer;
}

/** What serving an asset needs of a request: satisfied by a koa context. */
export interface AssetContext {
  readonly method: string;
  readonly path: string;
  get(field: string): string;
  set(field: string, value: string): void;
  status: number;
  body: unknown;
}

export interface Assets {
  /** The address of a file of views/assets, its content hash in the name. Throws a RangeError for a file that is not there. */
  url(file: string): string;
  /** Answers a request for an asset and says whether it did; everything else is left untouched. */
  serve(ctx: AssetContext): boolean;
}

/**
 * Loads every file of the folder once and serves it from memory, compressed when somebody asks for
 * it first. A new content has a new address, so a
 * browser may keep what it has for a year. `url("name.svg")` in a stylesheet becomes the hashed address.
 */
export function loadAssets(folder: string): Assets {
  const urls = new Map<string, string>();
  const assets = new Map<string, Asset>();
  const files = readdirSync(folder)
    .filter((file) => TYPES[extname(file)] !== undefined)
    .sort((a, b) => Number(a.endsWith('.css')) - Number(b.endsWith('.css')) || a.localeCompare(b));
  for (const file of files) {
    const text = readFileSync(join(folder, file), 'utf8');
    const plain = Buffer.from(file.endsWith('.css') ? withHashedUrls(text, urls) : text);
    const hash = createHash('sha256').update(plain).digest('base64url').slice(0, 16);
    const extension = extname(file);
    const url = `${PREFIX}${file.slice(0, -extension.length)}.${hash}${extension}`;
    urls.set(file, url);
    assets.set(url, {
      type: TYPES[extension]!,
      etag: `W/"${hash}"`,
      plain,
      gzip: once(() => gzipSync(plain)),
      brotli: once(() => brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 8 } })),
    });
  }
  return {
    url(file) {
      const url = urls.get(file);
      if (url === undefined) throw new RangeError(`no asset named ${file}`);
      return url;
    },
    serve(ctx) {
      const asset = assets.get(ctx.path);
      if (asset === undefined || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return false;
      answer(ctx, asset);
      return true;
    },
  };
}

function once(compress: () => Buffer): () => Buffer {
  let compressed: Buffer | undefined;
  return () => {
    compressed ??= compress();
    return compressed;
  };
}

const withHashedUrls = (css: string, urls: ReadonlyMap<string, string>): string =>
  css.replace(/url\("([^"/]+)"\)/g, (whole, file: string) => {
    const url = urls.get(file);
    return url === undefined ? whole : `url("${url}")`;
  });

function answer(ctx: AssetContext, asset: Asset): void {
  ctx.set('Cache-Control', 'public, max-age=31536000, immutable');
  ctx.set('ETag', asset.etag);
  ctx.set('Vary', 'Accept-Encoding');
  if (ctx.get('if-none-match').includes(asset.etag)) {
    ctx.status = 304;
    return;
  }
  const accepted = ctx.get('accept-encoding');
  const encoding = /\bbr\b/.test(accepted) ? 'br' : /\bgzip\b/.test(accepted) ? 'gzip' : undefined;
  if (encoding !== undefined) ctx.set('Content-Encoding', encoding);
  ctx.status = 200;
  ctx.set('Content-Type', asset.type);
  ctx.body = encoding === 'br' ? asset.brotli() : encoding === 'gzip' ? asset.gzip() : asset.plain;
}
