import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { openKeyStore } from '../../examples/svs/keys.ts';
import { type RunningServer, startSignatureServer } from '../../examples/svs/server.ts';
import { shippedSettings } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import type { SignatureServer } from '../../src/crypto/remote/signature-server.ts';
import { openRemoteSigning } from '../../src/signer-doors.ts';
import { makeCertificates } from './feed-receivers.ts';
import { temporaryFolder } from './folders.ts';

export type ServerSettings = Config['signer']['server'];

const ROOT = new URL('../../', import.meta.url);
const SHARED_KEY = '3c'.repeat(32);
const APP_ID = 'tongban';
const DEFAULTS = (shippedSettings('default').signer as Config['signer']).server;

/** Patient with a busy machine, and asking again soon. */
const PATIENT = { timeoutMs: 20_000, circuitOpenMs: 100, circuitFailuresMax: 100, circuitTrials: 1 } as const;

/** The reference server in this process, behind a shared key, and how it is reached. */
export async function sharedKeyServer(
  t: ExecutionContext,
): Promise<{ readonly running: RunningServer; readonly settings: ServerSettings }> {
  const folder = temporaryFolder(t);
  const sharedKeyFile = join(folder, 'shared.key');
  writeFileSync(sharedKeyFile, `${SHARED_KEY}\n`, { mode: 0o600 });
  const caller = { appId: APP_ID, sharedKey: Buffer.from(SHARED_KEY, 'hex') };
  const running = await startSignatureServer({ keys: openKeyStore(join(folder, 'keys')), port: 0, caller });
  t.teardown(() => running.stop());
  const { url } = running;
  return {
    running,
    settings: { ...DEFAULTS, ...PATIENT, url, authentication: 'shared-key', appId: APP_ID, sharedKeyFile },
  };
}

/** The same behind mutual TLS, and the folder of all certificates. */
export async function tlsServer(
  t: ExecutionContext,
): Promise<{ readonly running: RunningServer; readonly settings: ServerSettings; readonly folder: string }> {
  const folder = temporaryFolder(t);
  const read = makeCertificates(folder);
  const [certificate, key, authority] = ['server.crt', 'server.key', 'ca.crt'].map((name) => read(name).toString());
  const running = await startSignatureServer({
    keys: openKeyStore(join(folder, 'keys')),
    port: 0,
    mutualTls: { certificate: certificate!, key: key!, authority: authority! },
  });
  t.teardown(() => running.stop());
  const settings: ServerSettings = {
    ...DEFAULTS,
    ...PATIENT,
    url: running.url,
    authentication: 'mutual-tls',
    certificateFile: join(folder, 'client.crt'),
    keyFile: join(folder, 'client.key'),
    authorityFile: join(folder, 'ca.crt'),
  };
  return { running, settings, folder };
}

/** The client a house would open. */
export function clientOf(settings: ServerSettings): SignatureServer {
  const opened = openRemoteSigning({ signer: { sm2: 'server', certificateFiles: [], server: settings } });
  if (opened === undefined) throw new Error('no signature server is configured');
  return opened.server;
}

/** The reference server as a process of its own, which can be killed and started again at the same place. */
export interface ServerProcess {
  readonly settings: ServerSettings;
  start(): Promise<void>;
  kill(): Promise<void>;
}

export function serverProcess(t: ExecutionContext, port: number): ServerProcess {
  const folder = temporaryFolder(t);
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    const going = child;
    child = undefined;
    if (going === undefined) return;
    const gone = once(going, 'exit');
    going.kill('SIGKILL');
    await gone;
  };
  t.teardown(kill);
  return {
    settings: {
      ...DEFAULTS,
      ...PATIENT,
      url: `http://127.0.0.1:${port}`,
      authentication: 'shared-key',
      appId: APP_ID,
      sharedKeyFile: join(folder, 'shared.key'),
    },
    async start() {
      child = spawn(process.execPath, ['examples/svs/main.ts', folder, String(port)], {
        cwd: ROOT,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await Promise.race([
        once(child.stdout!, 'data'),
        once(child, 'exit').then(() => Promise.reject(new Error('the signature server ended'))),
      ]);
    },
    kill,
  };
}
