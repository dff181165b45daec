import { nowMs } from '../../shared/clock.ts';
import type { Sex } from './document.ts';

const BIRTH_YEAR_MIN = 1850;
const CHINA_OFFSET_MS = 8 * 3600 * 1000;
const DAY_MS = 24 * 3600 * 1000;

/** The day that was written last: it is the same one until midnight. */
let written = { day: Number.NaN, text: '' };

/** Today in China, `YYYY-MM-DD`. */
export function todayInChina(): string {
  const day = Math.floor((nowMs() + CHINA_OFFSET_MS) / DAY_MS);
  if (day !== written.day) written = { day, text: new Date(day * DAY_MS).toISOString().slice(0, 10) };
  return written.text;
}

const DAY = /^(\d{4})-(\d\d)-(\d\d)$/;
const DAYS_OF_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Whether `YYYY-MM-DD` is a day of the (proleptic Gregorian) calendar. Asked of every number that is read, so no date is made for it. */
export function isDay(text: string): boolean {
  const read = DAY.exec(text);
  if (read === null) return false;
  const [year, month, day] = [Number(read[1]), Number(read[2]), Number(read[3])];
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const last = month === 2 && isLeap ? 29 : (DAYS_OF_MONTH[month - 1] ?? 0);
  return day >= 1 && day <= last;
}

/** A day of the calendar, from 1850 to today in China. */
export const isBirthDate = (text: string): boolean =>
  isDay(text) && Number(text.slice(0, 4)) >= BIRTH_YEAR_MIN && text <= todayInChina();

/** Whole years lived on a day, both `YYYY-MM-DD`; who was born on 29 February is a year older on 1 March of other years. */
export function ageAt(birthDate: string, day: string): number {
  const years = Number(day.slice(0, 4)) - Number(birthDate.slice(0, 4));
  return day.slice(5) < birthDate.slice(5) ? years - 1 : years;
}

/** `YYYYMMDD` as `YYYY-MM-DD`. */
export const dashed = (digits: string): string => `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6, 8)}`;

/** The rule of the 17th character of an 18-character number: odd is male. */
export const sexOf = (number: string): Sex => (Number(number[16]) % 2 === 1 ? 'male' : 'female');
