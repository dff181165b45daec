import { z } from 'zod';

const bytes = (max: number) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]*$/)
    .max(max);

/** A credential id has at most 1023 bytes (WebAuthn Level 3, section 4). */
const credential = bytes(1364).min(1);
const clientData = bytes(8192).min(1);

/** What a browser hands over for a proof, as the fields of a form; every one base64url without padding. */
export const ASSERTION_FIELDS = {
  credential,
  clientData,
  authenticatorData: bytes(4096).min(1),
  signature: bytes(8192).min(1),
  userHandle: bytes(88),
};

/** What it hands over for a new passkey. `transports` are names with blanks between. */
export const ATTESTATION_FIELDS = {
  credential,
  clientData,
  attestation: bytes(32_768).min(1),
  transports: z
    .string()
    .regex(/^[a-z -]*$/)
    .max(128),
};

export const ASSERTION = z.object(ASSERTION_FIELDS);
export type Assertion = z.infer<typeof ASSERTION>;
export type Attestation = z.infer<z.ZodObject<typeof ATTESTATION_FIELDS>>;

const CLIENT_DATA = z.object({
  challenge: z.string().max(256),
  crossOrigin: z.boolean().optional(),
  topOrigin: z.unknown().optional(),
});

/**
 * The challenge that was answered; undefined for what is no client data, and for an answer that was given inside a page of another site:
 * ours are never framed.
 */
export function challengeAnswered(clientData: string): string | undefined {
  try {
    const parsed = CLIENT_DATA.parse(JSON.parse(Buffer.from(clientData, 'base64url').toString('utf8')));
    return parsed.crossOrigin === true || parsed.topOrigin !== undefined ? undefined : parsed.challenge;
  } catch {
    return undefined;
  }
}
