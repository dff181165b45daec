import type { Logger } from 'pino';
import type { House } from './app.ts';
import { deriveKeyBytes, hmacKey } from './crypto/digests.ts';
import { createSealer } from './crypto/sealing.ts';
import { type Captcha, createCaptcha } from './defence/captcha.ts';
import { createGate, type Gate } from './defence/gate.ts';
import { createProofOfWork } from './defence/proof-of-work.ts';
import { createSuspicion } from './defence/suspicion.ts';
import type { Counters } from './storage/counters.ts';

/** What stands between strangers and everything that is dear. */
export interface DefenceDoors {
  readonly gate: Gate;
  readonly captcha: Captcha;
}

export function createDefence(house: House, log: Logger, counters: Counters): DefenceDoors {
  const { config, ledger, passwords } = house;
  const { defence, limits } = config;
  const root = hmacKey(Buffer.from(config.secrets.encryptionKey, 'utf8'));
  const suspicion = createSuspicion({
    counters,
    limits: defence,
    places: limits,
    waiting: () => passwords.load().waiting,
    changed: (raised, reasons, failures) => {
      ledger
        .record(
          raised
            ? { type: 'defence.raised', details: { reasons: [...reasons] } }
            : { type: 'defence.lowered', details: { reasons: [...reasons], failures } },
        )
        .catch((error: unknown) => log.error({ err: error }, 'a change of the defence could not be recorded'));
    },
  });
  const captcha = createCaptcha({
    sealer: createSealer(deriveKeyBytes(root, 'captcha')),
    counters,
    lifetimeSeconds: defence.proofSeconds,
  });
  const proofs = createProofOfWork({
    counters,
    key: deriveKeyBytes(root, 'proof-of-work').toString('base64url'),
    work: defence.proofWork,
    lifetimeSeconds: defence.proofSeconds,
  });
  return { captcha, gate: createGate({ suspicion, proofs, captcha }) };
}
