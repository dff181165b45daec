const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** One line of what somebody wrote, without characters that cannot be seen, cut to so many characters (E7, G4). */
export const visibleText = (text: string, charsMax: number): string =>
  Array.from(text.normalize('NFC').replace(UNSEEN, ' ').replace(/\s+/g, ' ').trim()).slice(0, charsMax).join('');
