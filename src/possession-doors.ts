import { readFileSync } from 'node:fs';
import type { Config } from './config/schema.ts';
import type { KeyFor } from './enrol-doors.ts';
import type { BoundFactors } from './factors/bound-factors.ts';
import { type AttestationPolicy, trustRoots } from './factors/passkeys/attestation.ts';
import { createPasskeys, type Passkeys } from './factors/passkeys/passkeys.ts';
import { createScanCodes, type ScanCodes } from './factors/scan-codes.ts';
import { createSignedChallenges, type SignedChallenges } from './factors/signed-challenges.ts';
import type { Ledger } from './ledger/ledger.ts';
import { createTrustedDevices, type TrustedDevices } from './people/trusted-devices.ts';
import type { Database } from './storage/database.ts';

const DAY_SECONDS = 86_400;

/** What people prove themselves with because they hold it: keys that sign, a phone, a browser they trust. */
export interface PossessionDoors {
  readonly signedChallenges: SignedChallenges;
  readonly passkeys: Passkeys;
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

/** Throws the error of the file system where a certificate of a maker cannot be read: the server does not start without it. */
export function createPossessionDoors(sources: PossessionSources): PossessionDoors {
  const { config, database, ledger, boundFactors, keyFor } = sources;
  const policy: AttestationPolicy = {
    conveyance: config.passkeys.attestation,
    allowedAaguids: config.passkeys.allowedAaguids,
    roots: config.passkeys.attestationRootFiles.map((file) => readFileSync(file, 'utf8')),
  };
  trustRoots(policy);
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
    scanCodes,
    trustedDevices,
    possessionSweeps: [signedChallenges.sweep, scanCodes.sweep, trustedDevices.sweep],
  };
}
