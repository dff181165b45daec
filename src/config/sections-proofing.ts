import { z } from 'zod';
import { isNightWindow } from '../shared/night-window.ts';
import { choice, filePath, flag, isServiceUrl, whole } from './fields.ts';

/** How one register is reached: the contract is docs/registers.md. */
const httpRegister = (register: string) =>
  z.strictObject({
    url: z
      .string()
      .max(512)
      .refine((value) => value === '' || isServiceUrl(value), 'must be an address without a slash or query at its end')
      .meta({ description: `Where the adapter of the ${register} listens; nothing else is ever called in its place.` }),
    authentication: choice(
      ['mutual-tls', 'sm2'],
      'How both sides prove who they are: TLS certificates, or SM2 signatures of requests and answers.',
    ),
    certificateFile: filePath('Our client certificate in PEM, for mutual-tls.'),
    keyFile: filePath('Its private key in PEM (mode 0600), for mutual-tls.'),
    authorityFile: filePath('The authority of the register in PEM, for mutual-tls; no other one is believed.'),
    appId: z
      .string()
      .max(64)
      .regex(/^[\w.-]*$/, 'must be letters, digits, dots, hyphens and underscores')
      .meta({ description: 'The name the register knows us by, for sm2.' }),
    signingKeyFile: filePath(
      'A file with the SM2 key that signs requests (64 hexadecimal digits, mode 0600), for sm2.',
    ),
    publicKey: z
      .string()
      .regex(/^(04[0-9a-fA-F]{128})?$/, 'must be 130 hexadecimal digits that begin with 04, or empty')
      .meta({ description: 'The SM2 public key of the register that signs its answers, for sm2.' }),
    timeoutMs: whole(100, 30_000, 'A question that is not answered by then is not answered at all.'),
    clockSkewSeconds: whole(1, 600, 'How far the clock of the register may be from ours, for sm2.'),
    inFlightMax: whole(1, 100, 'Questions under way at the same time at most.'),
    queueMax: whole(0, 1000, 'Questions that wait for a place at most; more are not asked.'),
    queueDeadlineMs: whole(10, 30_000, 'A question that waits longer for a place is not asked.'),
    circuitFailuresMax: whole(1, 100, 'Failures in a row after which the register is left alone for a while.'),
    circuitOpenMs: whole(
      100,
      600_000,
      'How long it is left alone; each trial that fails doubles that, up to sixteen times.',
    ),
    circuitTrials: whole(1, 20, 'Trials that must succeed in a row before everybody is asked again.'),
  });

export const registers = z.strictObject({
  population: choice(
    ['none', 'sample', 'http'],
    'The register that vouches for natural persons; sample is for demo and test.',
  ),
  legalPersons: choice(
    ['none', 'sample', 'http'],
    'The register that knows legal persons and who represents them; sample is for demo and test.',
  ),
  populationHttp: httpRegister('population register'),
  legalPersonsHttp: httpRegister('legal-person register'),
});

export const recheck = z.strictObject({
  window: z
    .string()
    .refine(isNightWindow, 'must look like 02:00-05:00 (Beijing time)')
    .meta({ description: 'When people and companies are checked again, in Beijing time.' }),
  personsPerSecond: whole(
    0,
    100,
    'How many people are asked about in a second at most; 0 means they are never checked again.',
  ),
  mismatchPercentMax: whole(
    1,
    100,
    'When more of the latest answers than this are mismatches, the register is doubted and nobody falls; 100 believes it always.',
  ),
  personsAfterDays: whole(1, 3650, 'A person whose last check is older than this is asked about again.'),
});

/** What one level asks for. */
const level = (acr: number) =>
  z.strictObject({
    ial: whole(0, 4, `How well the identity is proven at least for urn:tongban:acr:${acr}.`),
    aal: whole(
      1,
      3,
      `How the sign-in is done at least for urn:tongban:acr:${acr}: 1 one factor, 2 two factors, 3 two factors of which one is cryptographic.`,
    ),
  });

export const assurance = z.strictObject({
  level2: level(2),
  level3: level(3),
  level4: level(4),
  weakSecondFactorCounts: flag(
    'Codes sent by message count as a second factor where a level asks for two; otherwise they only satisfy what the account asks of itself.',
  ),
  secondFactor: choice(
    ['as-chosen', 'whenever-bound', 'always'],
    'Who is asked for a second factor whatever the portal wants: people who chose so, everybody who has bound one, or everybody.',
  ),
  scalesFile: filePath(
    'A JSON file that says how partners write our levels of proofing; empty means config/assurance-scales.json.',
  ),
});
