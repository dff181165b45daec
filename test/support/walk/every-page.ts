import { turnClock } from '../../../src/shared/clock.ts';
import type { Language } from '../../../src/web/language.ts';
import { PAGE_NAMES, type PageName } from '../../../src/web/pages.ts';
import { FACTOR_PAGE_NAMES } from '../../../src/web/pages-factors.ts';
import { PEOPLE } from '../legal-persons.ts';
import { NARROW, seen, stage } from '../seen.ts';
import { walkClosure, walkMerge, walkMethods, walkNotMe, walkPlaces, walkProof } from './account.ts';
import { walkCompanies } from './companies.ts';
import { walkLadder } from './ladder.ts';
import { walkPossession } from './possession.ts';
import { walkCeremony, walkEnrolment, walkOtherEnrolments, walkOutside, walkRecovery } from './strangers.ts';
import { openTown } from './town.ts';

/** Pages that have a walk of their own, factors.test.ts, and those of certificates, which a house without their authorities does not have. */
const ELSEWHERE: readonly PageName[] = [...FACTOR_PAGE_NAMES, 'certificate', 'account-certificate'];

/** The one test of a file that walks through every page in one language; the files run beside each other. */
export function everyPage(look: { readonly language: Language; readonly width: 360 | 1280 }): void {
  const { visitor } = stage(async () => {});
  seen(
    `every page there is, in ${look.language}, in normal and in large type, on a phone and on a desktop`,
    async (t) => {
      t.timeout(900_000);
      t.teardown(() => turnClock(0));
      const { page } = await visitor(t, 'every', { locale: look.language, viewport: NARROW });
      const walk = await openTown(t, page, look);
      await walkOutside(walk);
      const phone = await walkEnrolment(walk);
      await walkCeremony(walk);
      await walkOtherEnrolments(walk);
      await walkRecovery(walk, phone);
      await walk.signIn(PEOPLE.representative);
      await walkCompanies(walk);
      await walkMethods(walk);
      await walkPlaces(walk);
      await walkProof(walk);
      await walkMerge(walk);
      await walkClosure(walk);
      await walkPossession(walk);
      await walkLadder(walk);
      await walkNotMe(walk);
      t.deepEqual(walk.eye.complaints, []);
      t.deepEqual(
        PAGE_NAMES.filter((name) => !walk.eye.seen.has(name) && !ELSEWHERE.includes(name)),
        [],
      );
    },
  );
}
