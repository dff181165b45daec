import { Fault } from '../shared/fault.ts';
import { createSealer, type Sealer, sealedWith } from './sealing.ts';
import { CONFIGURED, type RingKey, type SecretRing } from './secret-ring.ts';

/** Seals with the key in use and opens with the one a value names. */
export function createRingSealer(ring: SecretRing): Sealer {
  /** Making a sealer costs as much as sealing twice. Keys that left the ring are let go of. */
  const sealers = new WeakMap<RingKey, Sealer>();
  const sealerOf = (key: RingKey): Sealer => {
    let sealer = sealers.get(key);
    if (sealer === undefined) {
      sealer = createSealer(key.material, key.id === CONFIGURED ? undefined : key.id);
      sealers.set(key, sealer);
    }
    return sealer;
  };
  const namedBy = (sealed: Uint8Array, context: string): Sealer => {
    const id = sealedWith(sealed);
    const key = ring.keys('sealing').find((one) => one.id === id);
    if (key === undefined) throw unknownKey(context, id);
    return sealerOf(key);
  };

  return {
    seal: (plaintext, context) => sealerOf(ring.writing('sealing')).seal(plaintext, context),
    unseal: (sealed, context) => namedBy(sealed, context).unseal(sealed, context),
    unsealKept: (sealed, context) => namedBy(sealed, context).unsealKept(sealed, context),
  };
}

const unknownKey = (place: string, id: string | undefined): Fault =>
  new Fault('sealed_data_altered', `The sealed value at ${place} names a key that is not in the ring (${id}).`);
