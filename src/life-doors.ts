import type { Logger } from 'pino';
import type { House } from './app.ts';
import type { Config } from './config/schema.ts';
import type { BlindIndex } from './crypto/blind-index.ts';
import type { Sealer } from './crypto/sealing.ts';
import type { Notices } from './delivery/notices.ts';
import { type FactorDoors, factorHoldings, passwordHoldings } from './factor-doors.ts';
import { ageDaysFor } from './factors/password.ts';
import { createPasswordWarnings } from './factors/password-warnings.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { Openings } from './ledger/openings.ts';
import { personName } from './legal-persons/person-names.ts';
import { consentHoldings } from './oidc/consent-holdings.ts';
import type { SessionEnds } from './oidc/session-ends.ts';
import { type Closures, createClosures, type TellClosure } from './people/lifecycle/closures.ts';
import { type Corrections, createCorrections } from './people/lifecycle/corrections.ts';
import type { Holdings, Leaving } from './people/lifecycle/holdings.ts';
import { createMerges, type Merges } from './people/lifecycle/merges.ts';
import { documentHoldings, identifierHoldings } from './people/lifecycle/own-holdings.ts';
import { placeHoldings } from './people/lifecycle/place-holdings.ts';
import { createRemainsJob } from './people/lifecycle/remains.ts';
import { createShredding, type Shredding } from './people/lifecycle/shredding.ts';
import { maskName } from './people/masking.ts';
import { createBirthdayJob } from './people/minors.ts';
import type { Persons } from './people/persons.ts';
import type { Database, Transaction } from './storage/database.ts';
import { type NightlyJob, startNightlyJob } from './storage/nightly-job.ts';
import { showDay } from './web/language.ts';

const DAY_SECONDS = 86_400;

/** How accounts are merged, closed, and let go of. */
export interface LifeDoors {
  readonly closures: Closures;
  readonly merges: Merges;
  readonly corrections: Corrections;
  readonly shredding: Shredding;
  /** What time does to accounts; each node tries, one works. */
  readonly lifeJobs: readonly NightlyJob[];
}

export interface LifeSources {
  readonly config: Config;
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
  readonly openings: Openings;
  readonly persons: Pick<Persons, 'forget' | 'setLevel' | 'profile'>;
  readonly notices: Notices;
  readonly sessionEnds: SessionEnds;
  readonly leaving: Leaving;
  /** What the room of legal persons keeps of people. */
  readonly legalHoldings: readonly Holdings[];
  readonly factors: FactorDoors;
}

export function createLifeDoors(sources: LifeSources): LifeDoors {
  const { config, database, sealer, index, ledger, openings, persons, notices, sessionEnds, leaving, legalHoldings } =
    sources;
  /** Whoever stands as guardian hears of what happens to the account, and of whose. */
  const tellGuardians = async (tx: Transaction, personId: string): Promise<void> => {
    const guardians = await leaving.guardians(tx, personId);
    if (guardians.length === 0) return;
    const ward = maskName((await personName(tx, sealer, personId)) ?? '');
    for (const guardian of guardians) await notices.tell(tx, guardian, 'ward-account-changed', { ward });
  };
  const tell: TellClosure = async (tx, personId, notice, dueAt) => {
    await (notice === 'closure-asked'
      ? notices.tell(tx, personId, notice, { day: showDay(dueAt, 'zh-CN') })
      : notices.tell(tx, personId, notice, {}));
    if (notice === 'closure-asked' || notice === 'closure-cancelled') await tellGuardians(tx, personId);
  };
  const shared = {
    database,
    ledger,
    leaving,
    tell,
    forget: (personId: string) => persons.forget(personId),
    endAll: (personId: string, cause: string) => sessionEnds.endAll(personId, cause),
  };
  const holdings = [
    factorHoldings(sources.factors),
    passwordHoldings,
    documentHoldings,
    placeHoldings,
    identifierHoldings(sealer, index),
    consentHoldings,
    ...legalHoldings,
  ];
  const keepSeconds = config.ledger.retentionDays * DAY_SECONDS;
  const merges = createMerges({
    ...shared,
    sealer,
    holdings,
    keepSeconds,
    undoSeconds: config.person.mergeUndoDays * DAY_SECONDS,
    // A young person may have registered a second time: the guardian of the account that was there hears of it when they become one.
    tell: async (tx, personId, notice, undoUntil) => {
      await (notice === 'accounts-merged'
        ? notices.tell(tx, personId, notice, { day: showDay(undoUntil, 'zh-CN') })
        : notices.tell(tx, personId, notice, {}));
      await tellGuardians(tx, personId);
    },
  });
  const shredding = createShredding({ ...shared, holdings: [...holdings, merges.holdings], keepSeconds });
  return {
    closures: createClosures({ ...shared, coolingSeconds: config.person.closureCoolingDays * DAY_SECONDS }),
    merges,
    corrections: createCorrections({
      sealer,
      ledger,
      levels: persons,
      tell: (tx, personId) => notices.tell(tx, personId, 'name-corrected', {}),
    }),
    shredding,
    lifeJobs: [
      shredding.job,
      merges.job,
      createRemainsJob({ database, ledger, openings }),
      ...passwordJobs(config, database, notices),
      createBirthdayJob({
        database,
        ledger,
        birthDateOf: async (personId) => (await persons.profile(personId))?.birthDate,
        tell: async (tx, personId, age) => {
          await notices.tell(tx, personId, 'birthday-reached', { age: String(age) });
          await tellGuardians(tx, personId);
        },
        forget: (personId) => persons.forget(personId),
      }),
    ],
  };
}

/** Where passwords grow too old, people are told some days before; members of staff of the narrower time that is theirs. */
function passwordJobs({ password, staff }: Config, database: Database, notices: Notices): readonly NightlyJob[] {
  const tell = (tx: Transaction, personId: string, dueAt: number): Promise<void> =>
    notices.tell(tx, personId, 'password-aging', { day: showDay(dueAt, 'zh-CN') });
  const job = (whose: 'everybody' | 'staff', ageDays: number, noticeDays: number): readonly NightlyJob[] =>
    ageDays === 0 || noticeDays === 0 ? [] : [createPasswordWarnings({ database, whose, ageDays, noticeDays, tell })];
  return [
    ...job('staff', ageDaysFor(true, password.ageDays, staff.passwordAgeDays), staff.passwordNoticeDays),
    ...job('everybody', password.ageDays, password.noticeDays),
  ];
}

/** Has the jobs done at night by whichever node comes first. */
export function runLifeNights(
  { database, config, lifeJobs }: Pick<House, 'database' | 'config' | 'lifeJobs'>,
  log: Logger,
  isOurs: () => boolean,
): { readonly stop: () => Promise<void> } {
  const running = lifeJobs.map((job) =>
    startNightlyJob({
      database,
      job,
      isOurs,
      window: config.recheck.window,
      onFault: (error) => log.error({ err: error, job: job.name }, 'a job of the night broke off and is tried again'),
    }),
  );
  return {
    stop: async () => {
      await Promise.all(running.map((job) => job.stop()));
    },
  };
}
