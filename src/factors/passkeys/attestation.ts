import { passkeyLibrary } from './library.ts';
import { leadsToRoot } from './maker-chain.ts';
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

/** The formats in which a maker signs for a device. */
const FORMATS = ['packed', 'tpm', 'android-key', 'apple', 'fido-u2f'] as const;
/** Formats for which the library has roots of its own. */
const KNOWN_BY_HEART = [...FORMATS, 'android-safetynet'] as const;

/** The library judges signatures and forms; whose certificates they are is judged by ours alone (maker-chain.ts). It keeps this for the whole process. */
async function forgetRoots(): Promise<void> {
  const { SettingsService } = await passkeyLibrary();
  for (const identifier of KNOWN_BY_HEART) SettingsService.setRootCertificates({ identifier, certificates: [] });
}

/** The new passkey, or why it is refused, in words for the ledger (WebAuthn Level 3, 7.1). */
export async function attested(attestation: Attestation, expected: Expected): Promise<MadePasskey | string> {
  const { credential: id, clientData: clientDataJSON, attestation: attestationObject } = attestation;
  const { policy } = expected;
  const { verifyRegistrationResponse } = await passkeyLibrary();
  await forgetRoots();
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
      if (!FORMATS.some((format) => format === fmt)) return 'attestation';
      if (!leadsToRoot(await certificatesOf(attestationObject), policy.roots)) return 'maker';
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

/** What a device shows of its maker, its own certificate first. One that signs for itself shows none, and proves nothing about its model. */
async function certificatesOf(attestationObject: string): Promise<readonly Uint8Array[]> {
  const { decodeAttestationObject } = await import('@simplewebauthn/server/helpers');
  const statement = decodeAttestationObject(Buffer.from(attestationObject, 'base64url')).get('attStmt');
  return statement.get('x5c') ?? [];
}
