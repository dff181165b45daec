import { turnClock } from '../../src/shared/clock.ts';
import type { Language } from '../../src/web/language.ts';
import { PAGE_NAMES, type PageName } from '../../src/web/pages.ts';
import { FACTOR_PAGE_NAMES } from '../../src/web/pages-factors.ts';
import { PEOPLE } from '../support/legal-persons.ts';
import { NARROW, seen, stage } from '../support/seen.ts';
import { walkClosure, walkMerge, walkMethods, walkNotMe, walkPlaces, walkProof } from '../support/walk/account.ts';
import { walkCompanies } from '../support/walk/companies.ts';
import { walkLadder } from '../support/walk/ladder.ts';
import { walkPossession } from '../support/walk/possession.ts';
import {
  walkCeremony,
  walkEnrolment,
  walkOtherEnrolments,
  walkOutside,
  walkRecovery,
} from '../support/walk/strangers.ts';
import { openTown } from '../support/walk/town.ts';

const { visitor } = stage(async () => {});

/** Pages that have a walk of their own, factors.test.ts, and those of certificates, which a house without their authorities does not have. */
const ELSEWHERE: readonly PageName[] = [...FACTOR_PAGE_NAMES, 'certificate', 'account-certificate'];

const WAYS: readonly { readonly language: Language; readonly width: 360 | 1280 }[] = [
  { language: 'zh-CN', width: 360 },
  { language: 'en', width: 1280 },
];

for (const look of WAYS) {
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
