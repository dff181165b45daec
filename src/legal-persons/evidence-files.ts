import { visibleText } from './visible-line.ts';

/** A file handed in as evidence, as it came. */
export interface EvidenceFile {
  readonly name: string;
  readonly content: Uint8Array;
}

export type MediaType = 'application/pdf' | 'image/png' | 'image/jpeg';

/** Its name fit to be shown, and its type by what it begins with: what a browser says about a file is a wish. */
export interface JudgedFile extends EvidenceFile {
  readonly mediaType: MediaType;
}

export type EvidenceRefusal = 'no_file' | 'too_many_files' | 'file_too_large' | 'file_type';

export const EVIDENCE_FILES_MAX = 5;
const NAME_CHARS_MAX = 100;

const BEGINNINGS: readonly (readonly [MediaType, readonly number[]])[] = [
  ['application/pdf', [0x25, 0x50, 0x44, 0x46, 0x2d]],
  ['image/png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['image/jpeg', [0xff, 0xd8, 0xff]],
];

/** Judges the files together. Pure. */
export function judgeEvidence(
  files: readonly EvidenceFile[],
  fileBytesMax: number,
):
  | { readonly ok: true; readonly files: readonly JudgedFile[] }
  | { readonly ok: false; readonly reason: EvidenceRefusal } {
  if (files.length === 0) return { ok: false, reason: 'no_file' };
  if (files.length > EVIDENCE_FILES_MAX) return { ok: false, reason: 'too_many_files' };
  const judged: JudgedFile[] = [];
  for (const { name, content } of files) {
    if (content.length > fileBytesMax) return { ok: false, reason: 'file_too_large' };
    const mediaType = mediaTypeOf(content);
    if (mediaType === undefined) return { ok: false, reason: 'file_type' };
    judged.push({ name: visibleText(name, NAME_CHARS_MAX) || 'file', content, mediaType });
  }
  return { ok: true, files: judged };
}

function mediaTypeOf(content: Uint8Array): MediaType | undefined {
  return BEGINNINGS.find(([, bytes]) => bytes.every((byte, place) => content[place] === byte))?.[0];
}

/** The end of a file name that goes with the type. */
export const EXTENSION: Readonly<Record<MediaType, string>> = {
  'application/pdf': 'pdf',
  'image/png': 'png',
  'image/jpeg': 'jpg',
};
