import type { House } from './app.ts';
import type { Gate } from './defence/gate.ts';
import type { Attempts } from './factors/attempts.ts';
import type { Challenges } from './factors/challenges.ts';
import { certificateAmr, tellCloned } from './possession-doors.ts';
import type { Admission } from './sign-in/admission.ts';
import { createIdentify, type Identify } from './sign-in/identify.ts';
import { createIdentifyCertificate, type IdentifyCertificate } from './sign-in/identify-certificate.ts';
import { createIdentifyPasskey, type IdentifyPasskey } from './sign-in/identify-passkey.ts';

/** The ways in which somebody says and proves who they are: at a sign-in, and again in their account. */
export interface Identifying {
  readonly identify: Identify;
  readonly identifyPasskey: IdentifyPasskey;
  readonly identifyCertificate: IdentifyCertificate;
}

/** What a server that listens has beside the house. */
export interface IdentifyingSurroundings {
  readonly admission: Admission;
  readonly attempts: Attempts;
  readonly challenges: Challenges;
  readonly gate: Gate;
}

export function createIdentifying(house: House, surroundings: IdentifyingSurroundings): Identifying {
  const { admission, attempts, challenges, gate } = surroundings;
  const { boundFactors, certificates, config, identifiers, passkeys, passwords, persons } = house;
  return {
    identify: createIdentify({ identifiers, persons, passwords, attempts, challenges, admission, gate }),
    identifyPasskey: createIdentifyPasskey({
      passkeys,
      persons,
      attempts,
      admission,
      cloned: (record, from) => tellCloned(house, record, from),
    }),
    identifyCertificate: createIdentifyCertificate({
      certificates,
      boundFactors,
      persons,
      attempts,
      admission,
      amr: certificateAmr(config),
    }),
  };
}
