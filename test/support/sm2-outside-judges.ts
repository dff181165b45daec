import { type ChildProcessWithoutNullStreams, execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { SM2_USER_ID } from '../../src/crypto/signer.ts';
import { decryptSm2, verifySm2 } from '../../src/crypto/sm2/sm2.ts';
import { derCiphertext, derSignature, privatePem, publicPem, rawCiphertext, rawSignature } from './sm2-forms.ts';
import { type Sm2Case, type Sm2Judge, unmet } from './sm2-judges.ts';

const run = promisify(execFile);

/** The openssl command; four processes a case. A sentence where it is absent. */
export function openCommandJudge(): Sm2Judge | string {
  if (spawnSync('openssl', ['version']).status !== 0) return 'there is no openssl command';
  const folder = mkdtempSync(join(tmpdir(), 'tongban-sm2-'));
  const place = (name: string): string => join(folder, name);
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(place(name), content, { mode: 0o600 });
    return place(name);
  };
  const pkeyutl = (...options: readonly string[]) =>
    run('openssl', ['pkeyutl', ...options]).then(
      () => true,
      () => false,
    );
  const signing = ['-pkeyopt', `distid:${SM2_USER_ID}`, '-rawin', '-digest', 'sm3'];
  return {
    name: 'the openssl command',
    async judge({ d, key, message, signature, text, ciphertext }) {
      const publicFile = file('public.pem', publicPem(key.publicKey.bytes));
      const privateFile = file('private.pem', privatePem(d, key.publicKey.bytes));
      const messageFile = file('message', message);
      const ours = file('signature', derSignature(signature));
      const sealed = file('sealed', derCiphertext(ciphertext));
      const inPublic = ['-pubin', '-inkey', publicFile, '-in'];
      const inPrivate = ['-inkey', privateFile, '-in'];
      const done = [
        await pkeyutl('-verify', ...inPublic, messageFile, '-sigfile', ours, ...signing),
        await pkeyutl('-sign', ...inPrivate, messageFile, '-out', place('their-signature'), ...signing),
        await pkeyutl('-decrypt', ...inPrivate, sealed, '-out', place('opened')),
        await pkeyutl('-encrypt', ...inPublic, file('text', text), '-out', place('their-sealed')),
      ];
      if (done.includes(false)) return [`it refused: ${done.join(' ')}`];
      return unmet({
        'we verify its': verifySm2(message, rawSignature(readFileSync(place('their-signature'))), key.publicKey),
        'it opens ours': readFileSync(place('opened')).equals(text),
        'we open its': decryptSm2(rawCiphertext(readFileSync(place('their-sealed'))), key)?.equals(text) === true,
      });
    },
    close: () => rmSync(folder, { recursive: true }),
  };
}

const BOUNCY_CASTLE = '/usr/share/java/bcprov.jar';

/** Bouncy Castle in one long-lived Java process. A sentence where Java or the library (Debian: libbcprov-java) is absent. */
export function openBouncyCastleJudge(): Sm2Judge | string {
  if (!existsSync(BOUNCY_CASTLE)) return `there is no ${BOUNCY_CASTLE}`;
  if (spawnSync('javac', ['--version']).status !== 0) return 'there is no Java compiler';
  const java: ChildProcessWithoutNullStreams = spawn('java', [
    '-cp',
    BOUNCY_CASTLE,
    join(import.meta.dirname, 'BouncyCastleJudge.java'),
  ]);
  const answers = createInterface({ input: java.stdout })[Symbol.asyncIterator]();
  java.stderr.pipe(process.stderr);
  return {
    name: 'Bouncy Castle',
    async judge({ d, key, message, signature, text, ciphertext }: Sm2Case) {
      const words = [d, message, signature, text, ciphertext].map((value) => `.${value.toString('hex')}`);
      java.stdin.write(`${words.join(' ')}\n`);
      const { value, done } = await answers.next();
      if (done) return ['it ended'];
      const [publicKey, verified, opened, theirs = '', sealed = ''] = String(value).split(' ');
      return unmet({
        'keys are the same': publicKey === key.publicKey.bytes.toString('hex'),
        'it verifies ours': verified === 'true',
        'it opens ours': opened === 'true',
        'we verify its': verifySm2(message, Buffer.from(theirs, 'hex'), key.publicKey),
        'we open its': decryptSm2(Buffer.from(sealed, 'hex'), key)?.equals(text) === true,
      });
    },
    close: () => {
      java.stdin.end();
    },
  };
}
