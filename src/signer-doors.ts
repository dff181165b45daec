import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { limitsOf } from './calling/service-limits.ts';
import type { Config } from './config/schema.ts';
import { createSignatureServer, type SignatureServer } from './crypto/remote/signature-server.ts';
import {
  createSharedKeyTransport,
  createTlsTransport,
  type SignatureServerTransport,
} from './crypto/remote/signature-server-transport.ts';
import { readPrivateFile } from './crypto/sm2-key-file.ts';
import { createOutbound } from './delivery/outbound.ts';
import { Fault } from './shared/fault.ts';

type ServerSettings = Config['signer']['server'];

/** An answer is a signature or a public key. */
const BODY_BYTES_MAX = 4_096;
const SHARED_KEY = /^(?:[0-9a-f]{2}){32,128}$/i;

/** The signature server of a house, and who is told what becomes of it. */
export interface RemoteSigning {
  readonly server: SignatureServer;
  /** Tells the log when the server is left alone and when it signs again. Whoever called last is told. */
  logTo(log: Logger): void;
}

/** Opens the configured signature server; nobody is called. Throws `Fault('internal')` for a file that cannot be used. */
export function openRemoteSigning({ signer }: Pick<Config, 'signer'>): RemoteSigning | undefined {
  const settings = signer.server;
  if (settings.url === '') return undefined;
  let log: Logger | undefined;
  const server = createSignatureServer({
    url: settings.url,
    transport: transportOf(settings),
    timeoutMs: settings.timeoutMs,
    ...limitsOf(settings),
    onCircuit: (state, trouble) =>
      state === 'open'
        ? log?.error({ trouble }, 'the signature server does not sign and is left alone for a while')
        : log?.info('the signature server signs again'),
  });
  return {
    server,
    logTo: (told) => {
      log = told;
    },
  };
}

/** The guarded client is open to this one origin: signature servers stand in the government network. */
function transportOf(settings: ServerSettings): SignatureServerTransport {
  const { url, timeoutMs, authentication } = settings;
  const limits = { allowedOrigins: [new URL(url).origin], timeoutMs, bodyBytesMax: BODY_BYTES_MAX };
  if (authentication === 'mutual-tls') {
    const identity = {
      certificate: readCertificate(settings.certificateFile),
      key: readPrivateFile(settings.keyFile, 'The TLS key for the signature server'),
      authority: readCertificate(settings.authorityFile),
    };
    return createTlsTransport(createOutbound({ ...limits, identity }));
  }
  const text = readPrivateFile(settings.sharedKeyFile, 'The key shared with the signature server');
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

function readCertificate(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Fault('internal', `A certificate for the signature server cannot be read from ${file}.`, {
      cause: error,
    });
  }
}
