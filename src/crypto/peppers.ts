import type { KeyObject } from 'node:crypto';
import { hmacKey } from './digests.ts';
import { CONFIGURED, type RingKey, type SecretRing } from './secret-ring.ts';

/** A key that is mixed into passwords. `mark` stands before every hash made with it. */
export interface Pepper {
  readonly key: KeyObject;
  readonly mark: string;
  /** Whether hashes are made with it now; others are made anew when their person signs in. */
  readonly inUse: boolean;
}

/** A password cannot be taken out of its hash, so what a pepper has made stays with it until the person comes by. */
export interface Peppers {
  writing(): Pepper;
  /** The one a stored hash was made with; undefined where that is none of ours. */
  of(stored: string): Pepper | undefined;
}

/** `$pepper=<id>` before the PHC string; nothing for the configured pepper, as it always was. */
export const pepperMark = (id: string): string => (id === CONFIGURED ? '' : `$pepper=${id}`);
const MARK = /^\$pepper=([0-9a-f]{8})(?=\$)/;

/** One pepper for good. */
export function onePepper(bytes: Uint8Array): Peppers {
  const pepper: Pepper = { key: hmacKey(bytes), mark: '', inUse: true };
  return { writing: () => pepper, of: (stored) => (MARK.test(stored) ? undefined : pepper) };
}

export function createRingPeppers(ring: SecretRing): Peppers {
  const prepared = new WeakMap<RingKey, Pepper>();
  const pepperOf = (key: RingKey): Pepper => {
    let pepper = prepared.get(key);
    if (pepper === undefined) {
      pepper = { key: hmacKey(key.material), mark: pepperMark(key.id), inUse: key.state === 'current' };
      prepared.set(key, pepper);
    }
    return pepper;
  };
  return {
    writing: () => pepperOf(ring.writing('pepper')),
    of(stored) {
      const id = MARK.exec(stored)?.[1] ?? CONFIGURED;
      const key = ring.keys('pepper').find((one) => one.id === id);
      return key && pepperOf(key);
    },
  };
}
