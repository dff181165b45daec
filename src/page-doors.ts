import type Router from '@koa/router';
import { accountRoutes } from './account-centre/pages.ts';
import { accountDoors } from './account-doors.ts';
import type { House } from './app.ts';
import type { RegionTable } from './defence/regions.ts';
import { enrolmentRouters, type PageSurroundings } from './enrolment-doors.ts';
import type { KnownDevices } from './people/known-devices.ts';
import type { SignInPlaces } from './people/sign-in-places.ts';
import { type Proving, proofDoors } from './proof-doors.ts';

/** What the pages outside of a sign-in stand on beside the house. */
export interface LaterSurroundings extends PageSurroundings {
  readonly proving: Proving;
  readonly places: SignInPlaces;
  readonly knownDevices: KnownDevices;
  readonly regions: RegionTable | undefined;
}

/**
 * The account centre, enrolment, recovery and the mailbox. Nobody needs their code before they ask for such a page: it is loaded
 * then, or soon after the start, and no start waits for it.
 */
export function laterRouters(house: House, surroundings: LaterSurroundings): readonly Router[] {
  const { proving, attempts, counters, wakeOutbox, renderer, formTokens, places, knownDevices, regions } = surroundings;
  const { config, reaching } = house;
  const { legalPersons: limits, branding } = config;
  return [
    accountRoutes({
      doors: accountDoors(house, proofDoors(house, proving), wakeOutbox),
      persons: house.persons,
      passwords: house.passwords,
      passwordPolicy: config.password,
      relyingParties: house.relyingParties,
      renderer,
      formTokens,
      ledger: house.ledger,
      database: house.database,
      notices: reaching.notices,
      counters,
      attempts,
      population: house.registers.population,
      identifiers: house.identifiers,
      index: house.index,
      reach: {
        ...reaching,
        codeSeconds: config.codes.lifetimeSeconds,
        mailboxUrl: reaching.mailbox && '/mailbox',
        wakeOutbox,
      },
      legalPersons: house.legalPersons,
      mandates: house.mandates,
      matters: house.matters,
      evidenceFileBytesMax: limits.evidenceFileBytesMax,
      mandateDays: {
        agent: { usual: limits.mandateDefaultDays, longest: limits.mandateLongestDays },
        relative: { usual: limits.relativeDefaultDays, longest: limits.relativeLongestDays },
      },
      origin: config.issuer,
      recoveryCodes: reaching.recoveryCodes,
      boundFactors: house.boundFactors,
      passkeys: house.passkeys,
      certificates: house.certificates,
      scanCodes: house.scanCodes,
      scanProofSeconds: config.scan.proofAgeSeconds,
      trustedDevices: house.trustedDevices,
      places,
      knownDevices,
      regionOf: (address) => regions?.find(address)?.region,
      factorPolicies: house.factorPolicies,
      totpEnrolment: house.totpEnrolment,
      tokenBinding: house.tokenBinding(attempts),
      tokenStock: house.tokenStock,
      serviceName: { 'zh-CN': branding.nameZh, en: branding.nameEn },
      freshProofSeconds: config.account.freshProofSeconds,
      closures: house.closures,
      closureCoolingDays: config.person.closureCoolingDays,
      merges: house.merges,
      corrections: house.corrections,
      exportsDaily: config.person.exportsDaily,
      mergeUndoDays: config.person.mergeUndoDays,
    }),
    ...enrolmentRouters(house, surroundings),
  ];
}
