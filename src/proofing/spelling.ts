const MIDDLE_DOTS = /[·・‧•●．.]/gu;

/**
 * One spelling of a name of a person or a company: registers differ in blanks, in full-width letters and brackets, and in the dot
 * of names from the border regions.
 */
export const spellingOf = (name: string): string =>
  name.replace(MIDDLE_DOTS, '·').normalize('NFKC').replace(/\s/g, '').toUpperCase();
