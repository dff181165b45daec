import type { Migration } from './migration.ts';
import { foundation } from './migrations/0001-foundation.ts';
import { evidence } from './migrations/0002-evidence.ts';
import { people } from './migrations/0003-people.ts';
import { enrolment } from './migrations/0004-enrolment.ts';
import { legalPersons } from './migrations/0005-legal-persons.ts';
import { grantSubjects } from './migrations/0006-grant-subjects.ts';
import { lifecycle } from './migrations/0007-lifecycle.ts';
import { proofing } from './migrations/0008-proofing.ts';
import { foundAtOnce } from './migrations/0010-found-at-once.ts';
import { factors } from './migrations/0011-factors.ts';
import { signedProofs } from './migrations/0012-signed-proofs.ts';
import { trustedDevices } from './migrations/0013-trusted-devices.ts';
import { defence } from './migrations/0014-defence.ts';
import { deliveryOrder } from './migrations/0015-delivery-order.ts';
import { staff } from './migrations/0016-staff.ts';
import { passwordsAndStaff } from './migrations/0017-passwords-and-staff.ts';
import { rowSeals } from './migrations/0018-row-seals.ts';
import { manyProcesses } from './migrations/0019-many-processes.ts';
import { passingRowSeals } from './migrations/0020-passing-row-seals.ts';
import { foundInTime } from './migrations/0021-found-in-time.ts';
import { peopleAsFound } from './migrations/0022-people-as-found.ts';
import { foundInSteps } from './migrations/0023-found-in-steps.ts';

/** In the order of their ids. Since the sixteenth each only adds, so that nodes of the version before go on (docs/engines.md). */
export const MIGRATIONS: readonly Migration[] = [
  foundation,
  evidence,
  people,
  enrolment,
  legalPersons,
  grantSubjects,
  lifecycle,
  proofing,
  foundAtOnce,
  factors,
  signedProofs,
  trustedDevices,
  defence,
  deliveryOrder,
  staff,
  passwordsAndStaff,
  rowSeals,
  manyProcesses,
  passingRowSeals,
  foundInTime,
  peopleAsFound,
  foundInSteps,
];
