import { accepted, type NumberOutcome, refused } from './document.ts';
import { typedNumber } from './typed-text.ts';

const HM_KEY_LENGTH = 9;
const HM_LENGTH_WITH_REISSUES = 11;

/**
 * The travel permit of Hong Kong and Macao residents (港澳居民来往内地通行证): `H` or `M` and eight digits, which stay with the person for life.
 * Older cards print two digits more, how often the card was issued anew: the same person, so they are no part of the key.
 */
export function readHmTravelPermit(input: string): NumberOutcome {
  const typed = typedNumber(input);
  if (typed.length !== HM_KEY_LENGTH && typed.length !== HM_LENGTH_WITH_REISSUES) return refused('length');
  if (!/^[HM]\d+$/.test(typed)) return refused('characters');
  const read = accepted(typed.slice(0, HM_KEY_LENGTH));
  return typed.length === HM_KEY_LENGTH ? read : { ...read, reissue: Number(typed.slice(HM_KEY_LENGTH)) };
}

const TAIWAN = /^\d{8}$/;
const TAIWAN_OLD = /^(\d{10})\(([A-Z])\)$/;
const TAIWAN_CHARACTERS = /^[\dA-Z()]*$/;

/**
 * The travel permit of Taiwan residents (台湾居民来往大陆通行证): eight digits. The old booklet has ten and a letter in brackets; no source we
 * have says which new number continues it, so it stands for itself.
 */
export function readTaiwanTravelPermit(input: string): NumberOutcome {
  const typed = typedNumber(input);
  if (TAIWAN.test(typed)) return accepted(typed);
  const old = TAIWAN_OLD.exec(typed);
  if (old) return accepted(`${old[1]}(${old[2]})`);
  if (!TAIWAN_CHARACTERS.test(typed)) return refused('characters');
  return refused(typed.length === 8 || typed.length === 13 ? 'characters' : 'length');
}
