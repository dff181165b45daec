import type { SeededRandom } from './seeded-random.ts';

/** The bytes with one bit turned over. */
export function flipBit(bytes: Uint8Array, at: number, random: SeededRandom): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[at] = flipped[at]! ^ (1 << random.below(8));
  return flipped;
}

/** The text with one character replaced by another. */
export function otherText(text: string, random: SeededRandom): string {
  const at = random.below(text.length);
  const by = random.pick(['0', 'x', '"', '\\', '的', ' ', '\n', '}']);
  return text[at] === by
    ? `${text.slice(0, at)}y${text.slice(at + 1)}`
    : `${text.slice(0, at)}${by}${text.slice(at + 1)}`;
}

/** A note with its size, its root or a signature altered, still well formed. `size` is what it says now. */
export function flipNote(note: string, random: SeededRandom): { readonly note: string; readonly size: number } {
  const [origin = '', size = '', root = '', empty = '', ...signatures] = note.slice(0, -1).split('\n');
  const join = (parts: readonly string[]): string => `${parts.join('\n')}\n`;
  const way = random.below(3);
  if (way === 0) {
    const other = Number(size) + 1 + random.below(5);
    return { note: join([origin, String(other), root, empty, ...signatures]), size: other };
  }
  if (way === 1) {
    const flipped = flipBit(Buffer.from(root, 'base64'), random.below(32), random).toString('base64');
    return { note: join([origin, size, flipped, empty, ...signatures]), size: Number(size) };
  }
  const at = random.below(signatures.length);
  const [dash, name, blob = ''] = signatures[at]!.split(' ');
  const bytes = Buffer.from(blob, 'base64');
  const line = `${dash} ${name} ${flipBit(bytes, random.below(bytes.length), random).toString('base64')}`;
  return { note: join([origin, size, root, empty, ...signatures.with(at, line)]), size: Number(size) };
}
