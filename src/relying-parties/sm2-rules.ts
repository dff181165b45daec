import { SM_JOSE } from '../crypto/jose/profile.ts';
import type { RecordFault } from './rules.ts';
import type { RecordMembers } from './schema.ts';

type Known = Partial<RecordMembers>;

const ANSWERS = ['id_token', 'userinfo'] as const;

/** What SM2 asks of several members at once. Keys are taken by value: those at an address are read by the protocol library, which knows no SM2. */
export function sm2Faults(known: Known): RecordFault[] {
  return [...assertionFaults(known), ...ANSWERS.flatMap((answer) => encryptionFaults(known, answer))];
}

function assertionFaults(known: Known): RecordFault[] {
  if (known.token_endpoint_auth_signing_alg !== SM_JOSE.signature) {
    if (known.sm2_signature_form === undefined) return [];
    const reason = `is for the token_endpoint_auth_signing_alg ${SM_JOSE.signature} alone`;
    return [{ field: 'sm2_signature_form', reason }];
  }
  if (hasSm2Key(known, 'sig')) return [];
  return [{ field: 'jwks', reason: `must be given and hold a key on ${SM_JOSE.curve} for ${SM_JOSE.signature}` }];
}

function encryptionFaults(known: Known, answer: (typeof ANSWERS)[number]): RecordFault[] {
  const [alg, enc, signed] = [
    `${answer}_encrypted_response_alg`,
    `${answer}_encrypted_response_enc`,
    `${answer}_signed_response_alg`,
  ] as const;
  if ((known[alg] === undefined) !== (known[enc] === undefined)) {
    return [
      { field: known[alg] === undefined ? alg : enc, reason: 'must be given too: neither goes without the other' },
    ];
  }
  if (known[alg] === undefined) return [];
  const faults: RecordFault[] = [];
  if (known[signed] !== SM_JOSE.signature) {
    faults.push({ field: signed, reason: `must be ${SM_JOSE.signature} for ${SM_JOSE.keyEncryption}` });
  }
  if (!hasSm2Key(known, 'enc')) {
    faults.push({ field: 'jwks', reason: `must hold a key on ${SM_JOSE.curve} with the use enc` });
  }
  return faults;
}

const hasSm2Key = ({ jwks }: Known, use: 'sig' | 'enc'): boolean =>
  jwks?.keys.some((key) => key.crv === SM_JOSE.curve && (key.use ?? 'sig') === use) === true;
