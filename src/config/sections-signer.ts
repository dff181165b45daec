import { z } from 'zod';
import { choice, filePath, isServiceUrl, list, whole } from './fields.ts';

/** How a device behind HTTP is reached, and how both sides prove who they are. */
const deviceFields = (device: string) => ({
  url: z
    .string()
    .max(512)
    .refine((value) => value === '' || isServiceUrl(value), 'must be an address without a slash or query at its end')
    .meta({ description: `Where the ${device}, or the adapter in front of it, listens.` }),
  authentication: choice(
    ['mutual-tls', 'shared-key'],
    'How both sides prove who they are: TLS certificates, or an HMAC-SM3 over requests and answers.',
  ),
  certificateFile: filePath('Our client certificate in PEM, for mutual-tls.'),
  keyFile: filePath('Its private key in PEM (mode 0600), for mutual-tls.'),
  authorityFile: filePath(`The authority of the ${device} in PEM, for mutual-tls; no other one is believed.`),
  appId: z
    .string()
    .max(64)
    .regex(/^[\w.-]*$/, 'must be letters, digits, dots, hyphens and underscores')
    .meta({ description: `The name the ${device} knows us by, for shared-key.` }),
  sharedKeyFile: filePath('A file with the shared key (at least 64 hexadecimal digits, mode 0600), for shared-key.'),
  clockSkewSeconds: whole(1, 600, `How far the clock of the ${device} may be from ours, for shared-key.`),
});

/** Who holds the SM2 keys of tokens; the contract is docs/signature-server.md. */
export const signer = z.strictObject({
  sm2: choice(
    ['software', 'server'],
    'Where new SM2 keys for tokens are made and held: in this process, or with a signature server that signs for us. A key stays where it was made.',
  ),
  certificateFiles: list(
    z.string().min(1).max(1024),
    10,
    'PEM files, each with the certificate of an SM2 signing key and those above it; published with the key as x5c.',
  ),
  server: z.strictObject({
    ...deviceFields('signature server'),
    timeoutMs: whole(50, 30_000, 'A signature that is not there by then is not waited for.'),
    inFlightMax: whole(1, 1000, 'Signatures under way at the same time at most, each on a connection that is kept.'),
    queueMax: whole(0, 10_000, 'Signatures that wait for a place at most; more are refused.'),
    queueDeadlineMs: whole(10, 30_000, 'A signature that waits longer for a place is refused.'),
    circuitFailuresMax: whole(1, 100, 'Failures in a row after which the signature server is left alone for a while.'),
    circuitOpenMs: whole(
      100,
      600_000,
      'How long it is left alone; each trial that fails doubles that, up to sixteen times.',
    ),
    circuitTrials: whole(1, 20, 'Trials that must succeed in a row before everybody is served again.'),
  }),
});

/** Who opens the master key at the start; the contract is docs/key-service.md. */
export const keyService = z.strictObject({
  ...deviceFields('key service'),
  keyId: z
    .string()
    .max(64)
    .regex(/^[\w.-]*$/, 'must be letters, digits, dots, hyphens and underscores')
    .meta({ description: 'The key of the service that new master keys are wrapped with.' }),
  keyFiles: list(
    z.string().min(1).max(1024),
    4,
    'Files with wrapped master keys (tongban keys wrap), which the key service opens at the start. With one, encryptionKey may be empty.',
  ),
  timeoutMs: whole(50, 30_000, 'A key that is not there by then is not waited for.'),
  attemptsMax: whole(1, 20, 'Calls in a row that may fail before a start is refused.'),
});
