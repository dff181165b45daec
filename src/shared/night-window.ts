const BEIJING_OFFSET_MS = 8 * 3_600_000;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const FORM = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;

/** One opening of the window: epoch milliseconds, the end excluded. */
export interface Night {
  readonly opensMs: number;
  readonly closesMs: number;
}

/**
 * The night we are in, or undefined while the window `HH:MM-HH:MM` (Beijing time) is shut. A window that ends before it begins
 * reaches into the next day; equal ends are the whole day. Pure. Throws `RangeError` for anything else: settings are checked before.
 */
export function nightAt(window: string, atMs: number): Night | undefined {
  const form = FORM.exec(window);
  if (form === null) throw new RangeError('a window looks like 02:00-05:00');
  const [fromHour, fromMinute, toHour, toMinute] = form.slice(1).map(Number) as [number, number, number, number];
  const from = (fromHour * 60 + fromMinute) * MINUTE_MS;
  const to = (toHour * 60 + toMinute) * MINUTE_MS;
  const lengthMs = to > from ? to - from : to - from + DAY_MS;
  const midnightMs = Math.floor((atMs + BEIJING_OFFSET_MS) / DAY_MS) * DAY_MS - BEIJING_OFFSET_MS;
  // Only last evening's or this day's opening can still be open.
  for (const dayMs of [midnightMs - DAY_MS, midnightMs]) {
    const opensMs = dayMs + from;
    if (opensMs <= atMs && atMs < opensMs + lengthMs) return { opensMs, closesMs: opensMs + lengthMs };
  }
  return undefined;
}

export const isNightWindow = (text: string): boolean => FORM.test(text);
