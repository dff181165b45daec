import type { Context } from 'koa';
import type { Logger } from 'pino';
import type { House } from './app.ts';
import type { Config } from './config/schema.ts';
import { deriveKeyBytes, hmacKey } from './crypto/digests.ts';
import { createSealer } from './crypto/sealing.ts';
import { loadBadNetworks } from './defence/bad-networks.ts';
import { type Captcha, createCaptcha } from './defence/captcha.ts';
import { createGate, type Gate } from './defence/gate.ts';
import { createProofOfWork } from './defence/proof-of-work.ts';
import { loadRegions, type RegionTable } from './defence/regions.ts';
import { assessRisk, type RiskVerdict } from './defence/risk.ts';
import { createSuspicion } from './defence/suspicion.ts';
import { listUses } from './legal-persons/acting-uses.ts';
import { ageAt, todayInChina } from './people/documents/birth-date.ts';
import type { FoundPerson } from './people/person.ts';
import type { SignInPlaces } from './people/sign-in-places.ts';
import { nowSeconds } from './shared/clock.ts';
import { Fault } from './shared/fault.ts';
import type { Counters } from './storage/counters.ts';
import type { Transaction } from './storage/database.ts';

/** What stands between strangers and everything that is dear. */
export interface DefenceDoors {
  readonly gate: Gate;
  readonly captcha: Captcha;
}

/** The configured table of regions. Throws `Fault('internal')` when it cannot be read. */
export function regionsOf({ watch }: Config): RegionTable | undefined {
  if (watch.regionsFile === '') return undefined;
  const table = loadRegions(watch.regionsFile);
  if (!table.ok) throw new Fault('internal', table.reason);
  return table.regions;
}

export function createDefence(house: House, log: Logger, counters: Counters): DefenceDoors {
  const { config, ledger, passwords } = house;
  const { defence, limits } = config;
  const root = hmacKey(house.rootKey);
  const suspicion = createSuspicion({
    counters,
    limits: defence,
    places: limits,
    waiting: () => passwords.load().waiting,
    changed: (raised, reasons, failures) => {
      ledger
        .record(
          raised
            ? { type: 'defence.raised', details: { reasons: [...reasons] } }
            : { type: 'defence.lowered', details: { reasons: [...reasons], failures } },
        )
        .catch((error: unknown) => log.error({ err: error }, 'a change of the defence could not be recorded'));
    },
  });
  const captcha = createCaptcha({
    sealer: createSealer(deriveKeyBytes(root, 'captcha')),
    counters,
    lifetimeSeconds: defence.proofSeconds,
  });
  const proofs = createProofOfWork({
    counters,
    key: deriveKeyBytes(root, 'proof-of-work').toString('base64url'),
    work: defence.proofWork,
    lifetimeSeconds: defence.proofSeconds,
  });
  return { captcha, gate: createGate({ suspicion, proofs, captcha }) };
}

/** Keeps the region of a sign-in with it, where there is a table of regions and the address is in it. */
export async function rememberPlace(
  tx: Transaction,
  { places, regions }: Pick<RiskSources, 'places' | 'regions'>,
  personId: string,
  address: string | undefined,
): Promise<void> {
  const place = address === undefined ? undefined : regions?.find(address);
  if (place !== undefined) await places.remember(tx, personId, place);
}

export interface RiskSources {
  readonly house: House;
  readonly gate: Pick<Gate, 'isSuspicious'>;
  readonly places: SignInPlaces;
  readonly regions: RegionTable | undefined;
  readonly knownDevice: (ctx: Context, personId: string) => Promise<string | undefined>;
}

/** Judges a right proof by its circumstances. */
export type RiskOf = (
  ctx: Context,
  about: { readonly person: FoundPerson; readonly clientId: string },
) => Promise<RiskVerdict>;

/**
 * Gathers what a sign-in is judged by and has the ledger told when anything was unusual. What costs a look-up is only asked for a new device, where it
 * can change the verdict. Throws `Fault('internal')` when the list of bad networks cannot be read.
 */
export function createRiskOf({ house, gate, places, regions, knownDevice }: RiskSources): RiskOf {
  const { config, ledger, persons, relyingParties, acting, database, reaching } = house;
  const { badNetworksFile, elderFromYears } = config.defence;
  const listed = badNetworksFile === '' ? undefined : loadBadNetworks(badNetworksFile);
  if (listed?.ok === false) throw new Fault('internal', listed.reason);

  const ageOf = async (personId: string): Promise<number | undefined> => {
    const birthDate = (await persons.profile(personId))?.birthDate;
    return birthDate === undefined ? undefined : ageAt(birthDate, todayInChina());
  };
  const isFirstUse = async (personId: string, clientId: string): Promise<boolean> => {
    const party = await relyingParties.find(clientId);
    if (party?.record.accepts_subjects?.includes('legal') !== true) return false;
    const subjects = await acting.subjectsOf(personId, clientId);
    if (!subjects.some(({ kind }) => kind === 'legal')) return false;
    return !(await listUses(database, { personId })).some(({ legalPersonId }) => legalPersonId !== undefined);
  };

  return async (ctx, { person, clientId }) => {
    const isKnown = (await knownDevice(ctx, person.id)) !== undefined;
    const place = regions?.find(ctx.ip);
    const [earlier, sprayInProgress, age, firstUseOfCompany] = await Promise.all([
      place === undefined ? [] : places.of(person.id),
      isKnown ? false : ((ctx.state.isSuspicious as boolean | undefined) ?? gate.isSuspicious(ctx.ip)),
      isKnown ? undefined : ageOf(person.id),
      isKnown ? false : isFirstUse(person.id, clientId),
    ]);
    const risk = assessRisk({
      now: nowSeconds(),
      knownDevice: isKnown,
      place,
      earlier,
      travelKmPerHourMax: config.watch.impossibleTravel.threshold,
      badNetwork: listed?.networks.find(ctx.ip) === true,
      sprayInProgress,
      stuffingHit: ctx.state.passwordIsBreached === true,
      age,
      elderFrom: elderFromYears,
      firstUseOfCompany,
    });
    // That the device alone is new is told by the sign-in itself.
    if (risk.verdict !== 'allow' || risk.reasons.some((reason) => reason !== 'new_device')) {
      const isRefused = risk.verdict === 'refuse';
      await database.write(async (tx) => {
        await ledger.append(tx, {
          type: 'sign-in.assessed',
          outcome: isRefused ? 'failure' : 'success',
          personId: person.id,
          clientId,
          address: ctx.ip,
          userAgent: ctx.get('user-agent'),
          correlation: String(ctx.state.requestId),
          details: { verdict: risk.verdict, reasons: [...risk.reasons] },
        });
        if (isRefused) await reaching.notices.tell(tx, person.id, 'sign-in-refused', {});
      });
    }
    return risk;
  };
}
