import { z } from 'zod';
import { choice, whole } from './fields.ts';

const MEBIBYTE = 1_048_576;
const optionalPath = (description: string) => z.string().trim().max(1024).meta({ description });

export const legalPersons = z.strictObject({
  mattersFile: optionalPath(
    'The JSON file that lists the matters (事项) mandates are given for; empty means config/matters.json, which suits the demonstration.',
  ),
  organisationCode: choice(
    ['warn', 'refuse'],
    'What happens to a code whose embedded organisation code (GB 11714) is wrong: older registrants were coded anew.',
  ),
  administratorsMax: whole(1, 50, 'Administrators a legal person may have at once.'),
  mandateDefaultDays: whole(1, 366, 'How long a mandate lasts when nobody says.'),
  mandateLongestDays: whole(1, 1098, 'How long a mandate may last at most; it can be renewed.'),
  relativeDefaultDays: whole(1, 366, 'How long a mandate of a relative lasts when nobody says.'),
  relativeLongestDays: whole(1, 366, 'How long a mandate of a relative may last at most.'),
  claimsPerPersonDaily: whole(1, 1000, 'Legal persons somebody may try to claim within a day.'),
  evidenceFileBytesMax: whole(1024, 10 * MEBIBYTE, 'Size of one file handed in as evidence for a claim.'),
  evidenceKeptDays: whole(1, 3660, 'How long the files of a decided claim are kept.'),
  recheckPerSecond: whole(1, 1000, 'Legal persons the nightly re-check looks up within a second at most.'),
  registerSecretFile: optionalPath(
    'The file with the secret under which the register signs its notices of changes; empty means no notice is taken.',
  ),
});
