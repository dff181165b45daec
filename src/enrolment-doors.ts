import type Router from '@koa/router';
import { type CounterDesk, createCounterDesk } from './account-centre/enrolment/counter-desk.ts';
import { enrolmentRoutes } from './account-centre/enrolment/routes.ts';
import { recoveryRoutes } from './account-centre/recovery/routes.ts';
import type { House } from './app.ts';
import type { Gate } from './defence/gate.ts';
import { type Attempts, createAttempts } from './factors/attempts.ts';
import { createKnownDevices } from './people/known-devices.ts';
import { reachableOver } from './people/reachable.ts';
import { contextWords, isRegistrationOpen, recoverUrl } from './reaching-doors.ts';
import type { Counters } from './storage/counters.ts';
import type { FormTokens } from './web/form-tokens.ts';
import { MAILBOX_PAGE, mailboxRoute } from './web/mailbox.ts';
import type { Renderer } from './web/render.ts';

/** What the pages of enrolment need beside the house itself. */
export interface PageSurroundings {
  /** Of sign-in. */
  readonly attempts: Attempts;
  readonly gate: Gate;
  readonly counters: Counters;
  readonly wakeOutbox: () => void;
  readonly renderer: Renderer;
  readonly formTokens: FormTokens;
}

/** The pages of enrolment and the mailbox, as far as the settings open them. */
export function enrolmentRouters(
  house: House,
  { attempts, gate, counters, wakeOutbox, renderer, formTokens }: PageSurroundings,
): readonly Router[] {
  const { config, reaching } = house;
  const { population } = house.registers;
  const mailboxUrl = reaching.mailbox ? MAILBOX_PAGE : undefined;
  const common = {
    database: house.database,
    persons: house.persons,
    identifiers: house.identifiers,
    passwords: house.passwords,
    passkeys: house.passkeys,
    boundFactors: house.boundFactors,
    passwordPolicy: config.password,
    contextWords: contextWords(config),
    codes: reaching.codes,
    codeMinutes: Math.floor(config.codes.lifetimeSeconds / 60),
    messages: reaching.messages,
    messageQuota: reaching.messageQuota,
    wakeOutbox,
    index: house.index,
    ledger: house.ledger,
    failures: house.failures,
    renderer,
    formTokens,
    origin: config.issuer,
    secure: config.issuer.startsWith('https:'),
    mailboxUrl,
  };
  return [
    ...(reaching.mailbox ? [mailboxRoute({ renderer, list: reaching.mailbox.list })] : []),
    ...(config.recovery.enabled
      ? [
          recoveryRoutes({
            ...common,
            population,
            recoveries: reaching.recoveries,
            recoveryCodes: reaching.recoveryCodes,
            reachableAt: (personId) => reachableOver(house, personId, (channel) => reaching.messages.reaches(channel)),
            notices: reaching.notices,
            waitSeconds: config.recovery.waitSeconds,
            finishSeconds: config.recovery.finishSeconds,
            attempts,
            gate,
            begins: createAttempts({
              counters,
              limits: {
                ...config.limits,
                failuresPerAccount: config.recovery.beginsPerNumber,
                knownDeviceFailures: config.recovery.beginsPerNumber,
              },
            }),
            devices: createKnownDevices({ database: house.database }),
            secondFactorsOf: (personId) => secondFactorsOf(house, personId),
            trustedDevices: house.trustedDevices,
            async endSessions(personId, visit) {
              await house.sessionEnds.endAll(personId, 'password_recovered', visit);
            },
          }),
        ]
      : []),
    ...(isRegistrationOpen(house) && population
      ? [
          enrolmentRoutes({
            ...common,
            population,
            drafts: reaching.drafts,
            attempts,
            counters,
            gate,
            limits: config.limits,
            draftSeconds: config.registration.draftSeconds,
            recoverUrl: recoverUrl(config),
          }),
        ]
      : []),
  ];
}

/** What a recovery must not get around (D12). Where there is no password a key is the first factor: the very one that was lost. */
async function secondFactorsOf({ boundFactors, passwords }: House, personId: string): Promise<readonly string[]> {
  const [kinds, passwordAt] = await Promise.all([boundFactors.kindsOf(personId), passwords.changedAt(personId)]);
  const first = kinds.has('passkey') ? 'passkey' : 'certificate';
  return [...kinds].filter((kind) => kind !== first || passwordAt !== undefined);
}

/** Enrolment at a counter, for the command line. */
export const counterDesk = ({ config, database, persons, identifiers, index, ledger, reaching }: House): CounterDesk =>
  createCounterDesk({
    database,
    persons,
    identifiers,
    index,
    ledger,
    drafts: reaching.drafts,
    codes: reaching.codes,
    codeSeconds: config.codes.lifetimeSeconds,
    messages: reaching.messages,
    messageQuota: reaching.messageQuota,
  });
