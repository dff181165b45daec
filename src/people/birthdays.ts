const CHINA_OFFSET_MS = 8 * 3_600_000;

/**
 * The ages at which the law sees a young person anew: at 14 they consent for themselves (Personal Information Protection Law, article 31),
 * at 16 who lives on their own work counts as grown up, at 18 everybody does, and guardianship is over (Civil Code, articles 17 and 18).
 */
export const AGES = [14, 16, 18] as const;
export const AGE_OF_MAJORITY = 18;

/**
 * When somebody born on this day (`YYYY-MM-DD`) reaches an age: midnight in China, epoch seconds. Who was born on 29 February does so on
 * 1 March where there is none.
 */
export function birthdaySeconds(birthDate: string, age: number): number {
  const [year, month, day] = birthDate.split('-').map(Number) as [number, number, number];
  return (Date.UTC(year + age, month - 1, day) - CHINA_OFFSET_MS) / 1000;
}

export const hasReached = (birthDate: string, age: number, now: number): boolean =>
  birthdaySeconds(birthDate, age) <= now;

/** The next of the ages before majority that is still to come, and when. */
export function nextMilestone(
  birthDate: string,
  now: number,
): { readonly age: number; readonly at: number } | undefined {
  for (const age of AGES) {
    const at = birthdaySeconds(birthDate, age);
    if (at > now && age < AGE_OF_MAJORITY) return { age, at };
  }
  return undefined;
}
