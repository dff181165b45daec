import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { House } from './app.ts';
import type { Config } from './config/schema.ts';
import type { BoundFactors, FactorRecord } from './factors/bound-factors.ts';
import { type Certificates, createCertificates } from './factors/certificates/certificates.ts';
import { trustFrom } from './factors/certificates/trust-files.ts';
import type { AttestationPolicy } from './factors/passkeys/attestation.ts';
import { createPasskeys, type Passkeys } from './factors/passkeys/passkeys.ts';
import { createScanCodes, type ScanCodes } from './factors/scan-codes.ts';
import { createSignedChallenges, type SignedChallenges } from './factors/signed-challenges.ts';
import type { Ledger, LedgerEvent } from './ledger/ledger.ts';
import { createTrustedDevices, type TrustedDevices } from './people/trusted-devices.ts';
import type { KeyFor } from './reaching-doors.ts';
import type { Database } from './storage/database.ts';

const DAY_SECONDS = 86_400;

/** What people prove themselves with because they hold it: keys that sign, a phone, a browser they trust. */
export interface PossessionDoors {
  readonly signedChallenges: SignedChallenges;
  readonly passkeys: Passkeys;
  readonly certificates: Certificates;
  readonly scanCodes: ScanCodes;
  readonly trustedDevices: TrustedDevices;
  readonly possessionSweeps: readonly ((limit: number) => Promise<number>)[];
}

export interface PossessionSources {
  readonly config: Config;
  readonly database: Database;
  readonly ledger: Ledger;
  readonly boundFactors: BoundFactors;
  readonly keyFor: KeyFor;
}

/** Throws the error of the file system where a certificate cannot be read that the settings name: the server does not start without it. */
export function createPossessionDoors(sources: PossessionSources): PossessionDoors {
  const { config, database, ledger, boundFactors, keyFor } = sources;
  const policy: AttestationPolicy = {
    conveyance: config.passkeys.attestation,
    allowedAaguids: config.passkeys.allowedAaguids,
    roots: config.passkeys.attestationRootFiles.map((file) => new X509Certificate(readFileSync(file)).toString()),
  };
  const signedChallenges = createSignedChallenges({
    database,
    key: keyFor('signed-challenges'),
    lifetimeSeconds: config.passkeys.challengeSeconds,
  });
  const scanCodes = createScanCodes({ database, key: keyFor('scan-codes') });
  const lifetimeSeconds = config.trustedDevice.days * DAY_SECONDS;
  const trustedDevices = createTrustedDevices({ database, ledger, lifetimeSeconds });
  return {
    signedChallenges,
    passkeys: createPasskeys({
      boundFactors,
      challenges: signedChallenges,
      key: keyFor('passkey-owners'),
      origin: config.issuer,
      serviceName: config.branding.nameZh,
      policy,
    }),
    certificates: createCertificates({
      challenges: signedChallenges,
      trust: trustFrom(config.certificates.authorityFiles, config.certificates.revocationFiles),
      origin: config.issuer,
    }),
    scanCodes,
    trustedDevices,
    possessionSweeps: [signedChallenges.sweep, scanCodes.sweep, trustedDevices.sweep],
  };
}

/** What portals are told of a key behind a certificate (RFC 8176). */
export const certificateAmr = ({ certificates }: Pick<Config, 'certificates'>): 'hwk' | 'swk' =>
  certificates.keys === 'hardware' ? 'hwk' : 'swk';

/** Somebody has the key of this passkey on a second device. The person is told; whoever tried learns only that it failed. */
export const tellCloned = (
  { database, ledger, reaching }: Pick<House, 'database' | 'ledger' | 'reaching'>,
  { id, kind, personId }: FactorRecord,
  from: Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation' | 'clientId'>,
): Promise<void> =>
  database.write(async (tx) => {
    const { address, userAgent, correlation, clientId } = from;
    await ledger.append(tx, {
      type: 'factor.cloned',
      outcome: 'failure',
      actor: 'anonymous',
      personId,
      clientId,
      address,
      userAgent,
      correlation,
      details: { kind, factor: id },
    });
    await reaching.notices.tell(tx, personId, 'passkey-cloned', {});
  });
