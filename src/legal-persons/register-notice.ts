import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { equalInConstantTime, hmacSm3 } from '../crypto/digests.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { LegalPersons } from './legal-persons.ts';
import type { StandingOutcome } from './standing.ts';
import { parseUscc } from './uscc.ts';

/** What the register sends when something about a legal person has changed, as it came. Header names in lower case. */
export interface RegisterNotice {
  readonly body: string;
  readonly id: string | undefined;
  /** Epoch seconds, as text. */
  readonly timestamp: string | undefined;
  /** `sm3=` and HMAC-SM3 in hexadecimal over `id.timestamp.body`. */
  readonly signature: string | undefined;
}

/**
 * `refused`: not signed by the register, or too old: nothing was looked at. `malformed`: signed and not understood. `unknown`: nobody of
 * ours; that is no fault of the register. `later`: the register could not be asked, so it should send the notice again.
 */
export type NoticeOutcome = 'refused' | 'malformed' | 'unknown' | 'later' | 'done';

export const NOTICE_BODY_BYTES_MAX = 4096;
const AGE_SECONDS_MAX = 300;
const ID = /^[\w.:-]{1,128}$/;
const TIMESTAMP = /^\d{1,12}$/;

const notice = z.object({ uscc: z.string().max(64) });

/** What the register must sign with the secret we share. */
export const noticeSignature = (secret: KeyObject, id: string, timestamp: string, body: string): string =>
  `sm3=${hmacSm3(secret, `${id}.${timestamp}.${body}`).toString('hex')}`;

/**
 * Takes one notice. It is a hint and no more: what holds is asked of the register itself, so that a notice that is repeated, or comes
 * late, changes nothing that is not so. Therefore no id is kept.
 */
export function createRegisterNotices(
  legalPersons: Pick<LegalPersons, 'findByUscc' | 'recheck'>,
  secret: KeyObject,
): (received: RegisterNotice) => Promise<NoticeOutcome> {
  const isSigned = ({ body, id = '', timestamp = '', signature = '' }: RegisterNotice): boolean => {
    if (Buffer.byteLength(body) > NOTICE_BODY_BYTES_MAX || !ID.test(id) || !TIMESTAMP.test(timestamp)) return false;
    if (!equalInConstantTime(signature, noticeSignature(secret, id, timestamp, body))) return false;
    return Math.abs(nowSeconds() - Number(timestamp)) <= AGE_SECONDS_MAX;
  };

  return async (received) => {
    if (!isSigned(received)) return 'refused';
    const uscc = codeOf(received.body);
    if (uscc === undefined) return 'malformed';
    const found = await legalPersons.findByUscc(uscc);
    if (found === undefined) return 'unknown';
    const outcome: StandingOutcome = await legalPersons.recheck(found.id);
    return outcome === 'unavailable' ? 'later' : 'done';
  };
}

function codeOf(body: string) {
  try {
    const parsed = notice.safeParse(JSON.parse(body));
    const code = parsed.success ? parseUscc(parsed.data.uscc) : undefined;
    return code?.ok ? code.uscc : undefined;
  } catch {
    return undefined;
  }
}
