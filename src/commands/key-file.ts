/**
 * The keys in a file of keys: one a line; lines that begin with `#` are words for people. So the output of `tongban audit key`, kept
 * as it is, is such a file.
 */
export const keysIn = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
