import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openKeyStore } from './keys.ts';
import { MOODS, type Mood, startSignatureServer } from './server.ts';

const APP_ID = 'tongban';
const [folder = 'var/svs', port = '3020', mood = 'well'] = process.argv.slice(2);

mkdirSync(folder, { recursive: true, mode: 0o700 });
const sharedKeyFile = resolve(folder, 'shared.key');
if (!existsSync(sharedKeyFile)) writeFileSync(sharedKeyFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });

const server = await startSignatureServer({
  keys: openKeyStore(join(folder, 'keys')),
  port: Number(port),
  caller: { appId: APP_ID, sharedKey: Buffer.from(readFileSync(sharedKeyFile, 'utf8').trim(), 'hex') },
});
if (MOODS.includes(mood as Mood)) server.mood = mood as Mood;

const settings = { url: server.url, authentication: 'shared-key', appId: APP_ID, sharedKeyFile };
console.log(`The signature server listens at ${server.url} (${server.mood}). Settings for TONGBAN_CONFIG:`);
console.log(JSON.stringify({ signer: { sm2: 'server', server: settings } }, null, 2));
console.log('And to let it open the master key, once `tongban keys wrap master.json` has made one:');
console.log(
  JSON.stringify({ keyService: { ...settings, keyId: 'master', keyFiles: [resolve('master.json')] } }, null, 2),
);
