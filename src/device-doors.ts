import { readFileSync } from 'node:fs';
import type { Config } from './config/schema.ts';
import {
  createSharedKeyTransport,
  createTlsTransport,
  type SignatureServerTransport,
} from './crypto/remote/signature-server-transport.ts';
import { readPrivateFile } from './crypto/sm2-key-file.ts';
import { createOutbound } from './delivery/outbound.ts';
import { Fault } from './shared/fault.ts';

/** How a device behind HTTP is reached, and how both sides prove who they are. */
export type DeviceSettings = Pick<
  Config['signer']['server'],
  | 'url'
  | 'authentication'
  | 'certificateFile'
  | 'keyFile'
  | 'authorityFile'
  | 'appId'
  | 'sharedKeyFile'
  | 'timeoutMs'
  | 'clockSkewSeconds'
>;

/** An answer is a signature, a public key or a wrapped key. */
const BODY_BYTES_MAX = 4_096;
const SHARED_KEY = /^(?:[0-9a-f]{2}){32,128}$/i;

/**
 * The way to a device, which is called `device` where something is wrong with it. Nobody is called. The guarded client is open to this one
 * origin: devices stand in the government network. Throws `Fault('internal')` for a file that cannot be used.
 */
export function deviceTransport(settings: DeviceSettings, device: string): SignatureServerTransport {
  const { url, timeoutMs, authentication } = settings;
  const limits = { allowedOrigins: [new URL(url).origin], timeoutMs, bodyBytesMax: BODY_BYTES_MAX };
  if (authentication === 'mutual-tls') {
    const identity = {
      certificate: readCertificate(settings.certificateFile, device),
      key: readPrivateFile(settings.keyFile, `The TLS key for the ${device}`),
      authority: readCertificate(settings.authorityFile, device),
    };
    return createTlsTransport(createOutbound({ ...limits, identity }));
  }
  const text = readPrivateFile(settings.sharedKeyFile, `The key shared with the ${device}`);
  if (!SHARED_KEY.test(text)) {
    throw new Fault(
      'internal',
      `${settings.sharedKeyFile} holds no shared key: 64 hexadecimal digits or more are expected.`,
    );
  }
  const { appId, clockSkewSeconds } = settings;
  const sharedKey = Buffer.from(text, 'hex');
  return createSharedKeyTransport({ fetch: createOutbound(limits), appId, sharedKey, clockSkewSeconds });
}

function readCertificate(file: string, device: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Fault('internal', `A certificate for the ${device} cannot be read from ${file}.`, { cause: error });
  }
}
