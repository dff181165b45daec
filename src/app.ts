import { openShortLived, type ShortLived } from './artifact-doors.ts';
import type { Config } from './config/schema.ts';
import type { BlindIndex } from './crypto/blind-index.ts';
import { createKeyring, type Keyring } from './crypto/keyring.ts';
import { createRingPeppers } from './crypto/peppers.ts';
import type { Sealer } from './crypto/sealing.ts';
import { selfTest } from './crypto/self-test.ts';
import { freshSigningKey, remoteSigningKeys, signingAlgorithms } from './crypto/signing-key.ts';
import { createFactorDoors, type FactorDoors } from './factor-doors.ts';
import { createBreachedPasswords } from './factors/breached-passwords.ts';
import type { HashPlaces } from './factors/hash-queue.ts';
import { createPasswordFactor, type PasswordFactor } from './factors/password.ts';
import { alteredEvent, createKeyDoors, type KeyDoors, openKeys, openMaster } from './key-doors.ts';
import { levelRules, scaleNames } from './ladder-doors.ts';
import { keptLedgerKey, type LedgerKey, ledgerKey, ledgerOrigin } from './ledger/checkpoints/ledger-key.ts';
import { createFailures, type Failures } from './ledger/flood.ts';
import { createLedger, type Ledger, type LedgerEvent } from './ledger/ledger.ts';
import { createOpenings, type Openings } from './ledger/openings.ts';
import { createLedgerReader, type LedgerReader } from './ledger/reader.ts';
import { nodeName } from './ledger-doors.ts';
import { createLegalDoors, type LegalDoors } from './legal-doors.ts';
import { createLifeDoors, type LifeDoors } from './life-doors.ts';
import { fetchMasterKeys } from './master-doors.ts';
import { type ArtifactCounts, countedArtifacts, createArtifactCounts } from './monitoring/artifact-counts.ts';
import { countedLedger, createEventCounts, type EventCounts } from './monitoring/event-counts.ts';
import { createLevelEnds } from './oidc/level-ends.ts';
import { createSessionEnds, type SessionEnds } from './oidc/session-ends.ts';
import { createSubjectEnds, type SubjectEnds } from './oidc/subject-ends.ts';
import { createIdentifiers, type Identifiers } from './people/identifiers.ts';
import type { PersonStatus } from './people/person-status.ts';
import { createPersons, type Persons } from './people/persons.ts';
import { createStaff, isStaffMember, type Staff } from './people/staff.ts';
import { createPossessionDoors, type PossessionDoors } from './possession-doors.ts';
import { openRegisters, type Registers } from './proofing-doors.ts';
import { createReaching, keysOf, type Reaching } from './reaching-doors.ts';
import { createRelyingParties, type RelyingParties } from './relying-parties/relying-parties.ts';
import { alteredRowEvent, createRowDoors, openRowSealing, type RowDoors } from './row-doors.ts';
import { endInTurn } from './shared/end-in-turn.ts';
import { openRemoteSigning, type RemoteSigning } from './signer-doors.ts';
import type { ArtifactStore } from './storage/artifact-store.ts';
import type { Connection, Database } from './storage/database.ts';
import { openDatabase } from './storage/open.ts';
import { storeOf } from './store-doors.ts';
import { DOCUMENT_AGE_SECONDS } from './web/front.ts';

/** Everything the house is made of, without the doors: what the commands work on, and what the server opens to the world. */
export interface House extends FactorDoors, KeyDoors, LegalDoors, LifeDoors, PossessionDoors, RowDoors {
  readonly config: Config;
  readonly database: Database;
  readonly store: ArtifactStore;
  /** For limits of addresses: kept where a loss costs little. Limits that guard an account are counted in SQL. */
  readonly rates: ShortLived['rates'];
  readonly redis: ShortLived['redis'];
  readonly ledger: Ledger;
  readonly ledgerKey: LedgerKey;
  readonly events: EventCounts;
  readonly artifacts: Pick<ArtifactCounts, 'read'>;
  readonly failures: Failures;
  readonly openings: Openings;
  readonly ledgerReader: LedgerReader;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly persons: Persons;
  readonly identifiers: Identifiers;
  readonly passwords: PasswordFactor;
  readonly relyingParties: RelyingParties;
  readonly keyring: Keyring;
  /** The signature server that holds SM2 keys, where one is configured. */
  readonly remoteSigning: RemoteSigning | undefined;
  readonly sessionEnds: SessionEnds;
  readonly staff: Staff;
  /** Tells the ledger of a sealed value that does not open. */
  readonly altered: (place: string) => void;
  /** Messages, notices and sent codes. */
  readonly reaching: Reaching;
  readonly registers: Registers;
  /** What ends at portals with a mandate, a post or a company. */
  readonly subjectEnds: SubjectEnds;
  close(): Promise<void>;
}

/** Opens what keeps everything at rest: after the master key the seals of rows, for the keys stand in rows themselves. */
async function openAtRest(
  config: Config,
  raw: Database,
  fetched: readonly Uint8Array[],
  altered: (place: string) => void,
  alteredRow: (place: string) => void,
) {
  try {
    const master = await openMaster(config, raw, fetched);
    const rows = await openRowSealing(config, raw, master.root, alteredRow);
    const keys = await openKeys(config, rows.database, master, altered);
    rows.seals.follow(keys.ring);
    return { rows, keys };
  } catch (error) {
    await raw.close();
    throw error;
  }
}

/** Who gives a command, by what the store knows of members of staff. */
export type OperatorIn = (connection: Connection) => Promise<string>;

/** Where a house stands that is one of several on its machine. */
export interface Place {
  /** Told in every entry of the ledger behind the name of the machine. */
  readonly worker: number;
  readonly hashPlaces: HashPlaces;
}

/**
 * The composition root: the one place that chooses concrete parts. Checks the primitives first, for nothing may be sealed or
 * indexed by an algorithm that computes something else.
 * `by` is who acts when a command, and no person or portal, changes something, or how the store says so.
 * Throws `Fault('storage_unavailable')` when the store cannot be opened, and `Fault('internal')` when no master key is to be had for it.
 */
export async function openHouse(config: Config, by?: string | OperatorIn, place?: Place): Promise<House> {
  selfTest();
  const fetched = await fetchMasterKeys(config);
  const registers = openRegisters(config);
  const remoteSigning = openRemoteSigning(config);
  const raw = await openDatabase(storeOf(config), { mayMigrate: config.database.migrateAtStart });
  /** Told before the caller is refused; that the refusal stands does not depend on it. While the house opens, the refusal is all there is. */
  let toldTo: Failures | undefined;
  const tell = (event: LedgerEvent): void => {
    toldTo?.record(event).catch((error: unknown) => process.emitWarning(String(error)));
  };
  const altered = (place: string): void => tell(alteredEvent(place));
  const { rows, keys } = await openAtRest(config, raw, fetched, altered, (place) => tell(alteredRowEvent(place)));
  const { database } = rows;
  const { sealer, index } = keys;
  const operator = typeof by === 'function' ? await by(database) : by;
  const openings = createOpenings(database, sealer);
  const events = createEventCounts();
  const written = createLedger({
    database,
    openings,
    index,
    node: nodeName(place?.worker),
    ...(operator === undefined ? {} : { operator: `operator:${operator}` }),
  });
  const ledger = countedLedger(written, events);
  const failures = createFailures({ ledger, write: (work) => database.write(work) });
  toldTo = failures;
  await rows.finish(ledger);
  const artifacts = createArtifactCounts();
  const shortLived = await openShortLived(config, database, rows.guard);
  const store = countedArtifacts(shortLived.store, artifacts);
  const sessionEnds = createSessionEnds({ database, store, ledger });
  const reaching = createReaching({ config, database, sealer, index, ledger });
  const persons = createPersons({
    database,
    sealer,
    index,
    ledger,
    guard: rows.guard,
    masking: config.masking,
    tell: (tx, personId) => reaching.notices.tell(tx, personId, 'level-fell', {}),
    levelFell: (personId, ial) => levelEnds.levelFell(personId, ial),
  });
  const relyingParties = createRelyingParties({
    database,
    ledger,
    // Testers bring their own credentials; production makes every secret itself.
    allowChosenSecret: config.profile !== 'production',
    scalesSupported: scaleNames(config),
    smOnly: config.keys.smOnly,
  });
  const { table } = levelRules(config);
  const levelEnds = createLevelEnds({ store, ledger, relyingParties, sessionEnds, table });
  /** Sessions begun in the very moment the account was shut, or left over by a crash after it, must not live again. */
  const endSessionsOf = async (id: string, status: PersonStatus, cause: string): Promise<void> => {
    if ((await persons.profile(id))?.status === status) await sessionEnds.endAll(id, cause);
  };
  const subjectEnds = createSubjectEnds({ database, store, ledger });
  const legal = createLegalDoors({
    config,
    database,
    sealer,
    index,
    ledger,
    persons,
    register: registers.legalPersons,
    notices: reaching.notices,
    ended: subjectEnds.ended,
  });
  const { notices } = reaching;
  const factors = createFactorDoors({ database, sealer, ledger, keyFor: keysOf(config) });
  const life = createLifeDoors({
    ...legal,
    config,
    database,
    sealer,
    index,
    ledger,
    openings,
    persons,
    notices,
    sessionEnds,
    factors,
  });
  const { ttl } = config;
  return {
    ...factors,
    ...createKeyDoors(config, keys, rows, { ledger, persons }),
    ...createRowDoors(rows, ledger),
    ...createPossessionDoors({ ...factors, config, database, ledger, keyFor: keysOf(config) }),
    ...legal,
    ...life,
    config,
    registers,
    database,
    store,
    rates: shortLived.rates,
    redis: shortLived.redis,
    ledger,
    ledgerKey: ledgerKey({
      origin: await ledgerOrigin(database, config.ledger.origin, config.issuer),
      file: config.ledger.signingKeyFile,
      kept: await keptLedgerKey(database, keys.master),
      rootKey: keys.master.root,
    }),
    events,
    artifacts,
    failures,
    openings,
    ledgerReader: createLedgerReader({ database, openings, index }),
    sealer,
    index,
    sessionEnds,
    reaching,
    subjectEnds,
    persons: {
      ...persons,
      /** A disabled person's sessions, grants and tokens end with them, and the portals are told (F2). */
      async disable(id, origin, reason) {
        const outcome = await persons.disable(id, origin, reason);
        if (outcome !== 'unknown') await sessionEnds.endAll(id, 'person_disabled');
        return outcome;
      },
      async enable(id, origin, reason) {
        await endSessionsOf(id, 'disabled', 'person_disabled');
        return persons.enable(id, origin, reason);
      },
      async unfreeze(id, origin, reason) {
        await endSessionsOf(id, 'frozen', 'person_frozen');
        return persons.unfreeze(id, origin, reason);
      },
    },
    identifiers: createIdentifiers({
      database,
      sealer,
      index,
      ledger,
      persons,
      tellLoss: (tx, personId, type) => reaching.notices.tell(tx, personId, `${type}-left`, {}),
    }),
    passwords: createPasswordFactor({
      database,
      ledger,
      peppers: createRingPeppers(keys.ring),
      options: config.password,
      places: place?.hashPlaces,
      breached: createBreachedPasswords({
        file: config.password.breachedFile,
        onFault: (error) => process.emitWarning(`password.breachedFile could not be read again: ${String(error)}`),
      }),
      staff: {
        ageDays: config.staff.passwordAgeDays,
        history: config.staff.passwordHistory,
        isMember: isStaffMember,
      },
    }),
    relyingParties,
    staff: createStaff({ database, ledger }),
    remoteSigning,
    keyring: createKeyring({
      database,
      algorithms: signingAlgorithms(config.keys.smOnly),
      sealer: keys.master,
      ledger,
      longestTokenLifeSeconds: Math.max(ttl.idTokenSeconds, ttl.accessTokenSeconds, config.session.absoluteSeconds),
      publishedBeforeUseSeconds: DOCUMENT_AGE_SECONDS,
      makeKey:
        config.signer.sm2 === 'server' && remoteSigning ? remoteSigningKeys(remoteSigning.server) : freshSigningKey,
    }),
    altered,
    close: () =>
      endInTurn([
        () => failures.settle(),
        async () => keys.ring.close(),
        () => registers.close(),
        shortLived.close,
        () => database.close(),
      ]),
  };
}
