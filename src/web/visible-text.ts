/**
 * Characters that are not seen but change what is seen, as ranges of code points: controls, soft hyphen, bidirectional
 * marks, embeddings and isolates, zero-width characters, fillers, line separators, the byte order mark and tags. A portal named
 * with one of them could pass for another (E7).
 */
const UNSEEN_RANGES: readonly (readonly [first: number, last: number])[] = [
  [0x00, 0x08],
  [0x0b, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180e, 0x180e],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe007f],
];

const escaped = (codePoint: number): string => `\\u{${codePoint.toString(16)}}`;
const UNSEEN_CLASS = UNSEEN_RANGES.map(([first, last]) => `${escaped(first)}-${escaped(last)}`).join('');
const UNSEEN = new RegExp(`[${UNSEEN_CLASS}]`, 'gu');
const SUSPECT = new RegExp(`[&<>"'\`${UNSEEN_CLASS}]`, 'u');

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/** The text without characters that cannot be seen. What remains reads as it will be stored and compared. */
export const visibleText = (text: string): string => text.replace(UNSEEN, '');

/**
 * The text as it may stand in HTML, between tags or in a quoted attribute: unseen characters removed, markup inert. Every
 * interpolation of every template passes here, so no page can forget it.
 */
export function htmlText(value: unknown): string {
  const text = String(value);
  if (!SUSPECT.test(text)) return text;
  return visibleText(text).replace(/[&<>"'`]/g, (character) => ENTITIES[character]!);
}
