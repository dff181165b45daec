import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type RegisterServer, startRegisterServer } from '../../examples/registers/server.ts';
import { shippedSettings } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { sm2PublicKey } from '../../src/crypto/sm2-software-signer.ts';
import { createSampleLegalPersonRegister } from '../../src/proofing/sample-legal-person-register.ts';
import { createSamplePopulationRegister } from '../../src/proofing/sample-population-register.ts';
import { openRegisters, type Registers } from '../../src/proofing-doors.ts';
import { makeCertificates } from './feed-receivers.ts';
import { temporaryFolder } from './folders.ts';

export type HttpRegisterSettings = Config['registers']['populationHttp'];

/** For tests alone: from 1 to n - 2 like every SM2 key. */
export const OUR_KEY = '11'.repeat(32);
export const THEIR_KEY = '22'.repeat(32);
const APP_ID = 'tongban-test';

export const DEFAULTS = (shippedSettings('default').registers as Config['registers']).populationHttp;

const AUTHORITIES = {
  population: createSamplePopulationRegister(),
  legalPersons: createSampleLegalPersonRegister(),
};

/** The reference server with SM2 signatures, and how it is reached. */
export async function signedRegister(
  t: ExecutionContext,
  slowMs?: number,
): Promise<{ readonly server: RegisterServer; readonly settings: HttpRegisterSettings }> {
  const signingKeyFile = join(temporaryFolder(t), 'sm2.key');
  writeFileSync(signingKeyFile, `${OUR_KEY}\n`, { mode: 0o600 });
  const server = await startRegisterServer({
    authorities: AUTHORITIES,
    port: 0,
    sm2: { caller: { appId: APP_ID, publicKey: sm2PublicKey(OUR_KEY).toString('hex') }, privateKeyHex: THEIR_KEY },
    ...(slowMs === undefined ? {} : { slowMs }),
  });
  t.teardown(() => server.stop());
  const settings: HttpRegisterSettings = {
    ...DEFAULTS,
    timeoutMs: 20_000,
    url: server.url,
    authentication: 'sm2',
    appId: APP_ID,
    signingKeyFile,
    publicKey: sm2PublicKey(THEIR_KEY).toString('hex'),
  };
  return { server, settings };
}

/** The reference server behind mutual TLS, how it is reached, and the folder of all certificates. */
export async function tlsRegister(t: ExecutionContext): Promise<{
  readonly server: RegisterServer;
  readonly settings: HttpRegisterSettings;
  readonly folder: string;
}> {
  const folder = temporaryFolder(t);
  const read = makeCertificates(folder);
  const server = await startRegisterServer({
    authorities: AUTHORITIES,
    port: 0,
    mutualTls: {
      certificate: read('server.crt').toString(),
      key: read('server.key').toString(),
      authority: read('ca.crt').toString(),
    },
  });
  t.teardown(() => server.stop());
  const settings: HttpRegisterSettings = {
    ...DEFAULTS,
    timeoutMs: 20_000,
    url: server.url,
    authentication: 'mutual-tls',
    certificateFile: join(folder, 'client.crt'),
    keyFile: join(folder, 'client.key'),
    authorityFile: join(folder, 'ca.crt'),
  };
  return { server, settings, folder };
}

/** Both registers of one server, as a house would open them. */
export function opened(
  t: ExecutionContext,
  settings: HttpRegisterSettings,
): Required<Registers> & {
  readonly population: NonNullable<Registers['population']>;
  readonly legalPersons: NonNullable<Registers['legalPersons']>;
} {
  const registers = openRegisters({
    registers: {
      population: 'http',
      legalPersons: 'http',
      populationHttp: settings,
      legalPersonsHttp: settings,
    },
  });
  t.teardown(() => registers.close());
  return { ...registers, population: registers.population!, legalPersons: registers.legalPersons! };
}
