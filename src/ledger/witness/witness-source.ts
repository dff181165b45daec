import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Checkpoint } from '../checkpoints/checkpoint.ts';
import { nodesAtLevel } from '../sequencing/tree-growth.ts';
import { HASH_BYTES, type NodeReader } from '../tree/merkle.ts';
import { nodeFromTiles, TILE_WIDTH, tilePath } from '../tree/tiles.ts';

/** The ledger could not be asked, or did not answer in the form it owes. Ordinary: the witness asks again later. */
export class LedgerUnreachable extends Error {
  override readonly name = 'LedgerUnreachable';
}

/** What a witness sees of a ledger. Every method throws `LedgerUnreachable`. */
export interface WitnessSource {
  checkpoint(): Promise<string>;
  /** Nodes of the tree of `checkpoint`, each tile fetched once. */
  nodes(checkpoint: Checkpoint): NodeReader;
}

const DEADLINE_MS = 10_000;
const NOTE_BYTES_MAX = 16_384;
/** Twice the tiles on the longest way through a tree of 2^53 leaves. */
const TILES_MAX = 128;

export interface WitnessSourceOptions {
  /** The address under which the ledger is shown, http or https. */
  readonly url: URL;
  /** PEM certificates to trust in place of the system's. */
  readonly ca?: string | undefined;
  readonly deadlineMs?: number | undefined;
}

/** Asks over HTTP. Redirects are not followed; answers have a deadline and a size they may not pass. */
export function createWitnessSource(options: WitnessSourceOptions): WitnessSource {
  const base = options.url.href.replace(/\/$/, '');
  const get = (path: string, bytesMax: number): Promise<Buffer> => fetchBytes(`${base}/${path}`, bytesMax, options);
  return {
    checkpoint: async () => (await get('checkpoint', NOTE_BYTES_MAX)).toString('utf8'),
    nodes: ({ size }) => {
      const tiles = new Map<string, Promise<Buffer>>();
      return nodeFromTiles((level, position) => {
        const width = Math.min(nodesAtLevel(size, level) - position * TILE_WIDTH, TILE_WIDTH);
        const path = tilePath(level, position, width);
        const known = tiles.get(path);
        if (known !== undefined) return known;
        if (tiles.size >= TILES_MAX)
          throw new LedgerUnreachable('The ledger would have to be asked for too many tiles.');
        const tile = get(path, width * HASH_BYTES).then((bytes) => {
          if (bytes.length === width * HASH_BYTES) return bytes;
          throw new LedgerUnreachable(`${path} has ${bytes.length} bytes instead of ${width * HASH_BYTES}.`);
        });
        tiles.set(path, tile);
        return tile;
      });
    },
  };
}

function fetchBytes(address: string, bytesMax: number, { ca, deadlineMs }: WitnessSourceOptions): Promise<Buffer> {
  const request = address.startsWith('https:') ? requestHttps : requestHttp;
  const signal = AbortSignal.timeout(deadlineMs ?? DEADLINE_MS);
  return new Promise((resolve, reject) => {
    const refuse = (why: string): void => reject(new LedgerUnreachable(`${address} ${why}.`));
    const fail = (error: NodeJS.ErrnoException): void =>
      refuse(signal.aborted ? 'did not answer in time' : `cannot be read (${error.code ?? error.name})`);
    const sent = request(address, { signal, ca, agent: false, headers: { accept: '*/*' } }, (answer) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on('error', fail);
      if (answer.statusCode !== 200) {
        answer.destroy();
        return refuse(`answered with status ${answer.statusCode}`);
      }
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > bytesMax) {
          answer.destroy();
          refuse(`answered with more than ${bytesMax} bytes`);
        }
      });
      answer.on('end', () => resolve(Buffer.concat(chunks)));
      answer.on('close', () => refuse('broke off'));
    });
    sent.on('error', fail);
    sent.end();
  });
}
