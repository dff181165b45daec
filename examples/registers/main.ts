import { createECDH } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { sm2PublicKey } from '../../src/crypto/sm2-software-signer.ts';
import { createSampleLegalPersonRegister } from '../../src/proofing/sample-legal-person-register.ts';
import { createSamplePopulationRegister } from '../../src/proofing/sample-population-register.ts';
import { MOODS, type Mood, startRegisterServer } from './server.ts';

const APP_ID = 'tongban';
const [folder = 'var/registers', port = '3010', mood = 'well'] = process.argv.slice(2);

function freshKey(): string {
  const pair = createECDH('SM2');
  pair.generateKeys();
  return pair.getPrivateKey('hex').padStart(64, '0');
}

/** A key is made at the first start and kept. */
function keyOf(name: string): { readonly file: string; readonly privateKeyHex: string; readonly publicKey: string } {
  const file = resolve(folder, name);
  if (!existsSync(file)) writeFileSync(file, `${freshKey()}\n`, { mode: 0o600 });
  const privateKeyHex = readFileSync(file, 'utf8').trim();
  return { file, privateKeyHex, publicKey: sm2PublicKey(privateKeyHex).toString('hex') };
}

mkdirSync(folder, { recursive: true, mode: 0o700 });
const [ours, theirs] = [keyOf('tongban.key'), keyOf('register.key')];
const server = await startRegisterServer({
  authorities: { population: createSamplePopulationRegister(), legalPersons: createSampleLegalPersonRegister() },
  port: Number(port),
  sm2: { caller: { appId: APP_ID, publicKey: ours.publicKey }, privateKeyHex: theirs.privateKeyHex },
});
if (MOODS.includes(mood as Mood)) server.mood = mood as Mood;

const settings = {
  url: server.url,
  authentication: 'sm2',
  appId: APP_ID,
  signingKeyFile: ours.file,
  publicKey: theirs.publicKey,
};
const registers = { population: 'http', legalPersons: 'http', populationHttp: settings, legalPersonsHttp: settings };
console.log(`Both sample registers listen at ${server.url} (${server.mood}). Settings for TONGBAN_CONFIG:`);
console.log(JSON.stringify({ registers }, null, 2));
