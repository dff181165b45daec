import { nowMs } from '../../shared/clock.ts';
import type { Sex } from './document.ts';

const BIRTH_YEAR_MIN = 1850;
const CHINA_OFFSET_MS = 8 * 3600 * 1000;

/** Today in China, `YYYY-MM-DD`. */
export const todayInChina = (): string => new Date(nowMs() + CHINA_OFFSET_MS).toISOString().slice(0, 10);

/** Whether `YYYY-MM-DD` is a day of the calendar. */
export function isDay(text: string): boolean {
  const day = new Date(`${text}T00:00:00Z`);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === text;
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
