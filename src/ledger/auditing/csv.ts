/** The byte order mark tells spreadsheets that the file is UTF-8; without it Chinese text is shown as noise. */
export const CSV_START = '\uFEFF';

/** A text that begins so is run as a formula by some spreadsheet, also behind blanks and in full-width form. */
const FORMULA = /^[\s\p{Cc}]*[=+\-@\uFF0B\uFF0D\uFF1D\uFF20]|^[\t\r\n]/u;

/**
 * One line of a table (RFC 4180): every cell is quoted, and a cell that a spreadsheet would take for a formula has an apostrophe
 * in front, so that what strangers have sent us does nothing when an auditor opens the file.
 */
export const csvLine = (cells: readonly (string | number)[]): string => `${cells.map(cellOf).join(',')}\r\n`;

function cellOf(value: string | number): string {
  const text = String(value);
  return `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}
