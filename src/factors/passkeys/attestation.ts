import { passkeyLibrary } from './library.ts';
import type { Attestation } from './passkey-form.ts';

/**
 * Which devices may hold a passkey. `none` asks nothing of them; `direct` wants a statement of the maker, signed under one of the
 * configured roots, and, where models are named (AAGUID), one of these.
 */
export interface AttestationPolicy {
  readonly conveyance: 'none' | 'direct';
  readonly allowedAaguids: readonly string[];
  /** Certificates of makers, PEM. */
  readonly roots: readonly string[];
}

/** A passkey that was made as we asked. Bytes are base64url. */
export interface MadePasskey {
  readonly credential: string;
  readonly publicKey: string;
  readonly counter: number;
  /** It may be copied to other devices of its owner. */
  readonly synced: boolean;
  readonly aaguid: string;
}

export interface Expected {
  readonly challenge: string;
  readonly origin: string;
  readonly rpId: string;
  readonly algorithms: readonly number[];
  readonly policy: AttestationPolicy;
}

/** The formats in which a maker signs for a device. The library knows the roots of some by heart; only ours count here. */
const FORMATS = ['packed', 'tpm', 'android-key', 'apple', 'fido-u2f'] as const;

/** Hands the library the roots of the policy; it keeps them for the whole process, of which there is one policy. */
async function trustRoots({ roots }: AttestationPolicy): Promise<void> {
  const { SettingsService } = await passkeyLibrary();
  for (const identifier of FORMATS) SettingsService.setRootCertificates({ identifier, certificates: [...roots] });
}

/** The new passkey, or why it is refused, in words for the ledger (WebAuthn Level 3, 7.1). */
export async function attested(attestation: Attestation, expected: Expected): Promise<MadePasskey | string> {
  const { credential: id, clientData: clientDataJSON, attestation: attestationObject } = attestation;
  const { policy } = expected;
  const { verifyRegistrationResponse } = await passkeyLibrary();
  if (policy.conveyance === 'direct') await trustRoots(policy);
  try {
    const outcome = await verifyRegistrationResponse({
      response: {
        id,
        rawId: id,
        type: 'public-key',
        response: { clientDataJSON, attestationObject },
        clientExtensionResults: {},
      },
      expectedChallenge: expected.challenge,
      expectedOrigin: expected.origin,
      expectedRPID: expected.rpId,
      requireUserVerification: true,
      supportedAlgorithmIDs: [...expected.algorithms],
    });
    if (!outcome.verified) return 'attestation';
    const { credential, credentialDeviceType, aaguid, fmt } = outcome.registrationInfo;
    if (credential.id !== id) return 'credential';
    if (policy.conveyance === 'direct') {
      if (!FORMATS.some((format) => format === fmt) || !(await isSignedByMaker(attestationObject)))
        return 'attestation';
      if (policy.allowedAaguids.length > 0 && !policy.allowedAaguids.includes(aaguid)) return 'model';
    }
    return {
      credential: credential.id,
      publicKey: Buffer.from(credential.publicKey).toString('base64url'),
      counter: credential.counter,
      synced: credentialDeviceType === 'multiDevice',
      aaguid,
    };
  } catch (error) {
    return error instanceof Error ? error.message : 'unreadable';
  }
}

/** A device that signs for itself proves nothing about its model. */
async function isSignedByMaker(attestationObject: string): Promise<boolean> {
  const { decodeAttestationObject } = await import('@simplewebauthn/server/helpers');
  const statement = decodeAttestationObject(Buffer.from(attestationObject, 'base64url')).get('attStmt');
  return (statement.get('x5c')?.length ?? 0) > 0;
}
