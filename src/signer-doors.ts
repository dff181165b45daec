import type { Logger } from 'pino';
import { limitsOf } from './calling/service-limits.ts';
import type { Config } from './config/schema.ts';
import { createSignatureServer, type SignatureServer } from './crypto/remote/signature-server.ts';
import { deviceTransport } from './device-doors.ts';

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
    transport: deviceTransport(settings, 'signature server'),
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
