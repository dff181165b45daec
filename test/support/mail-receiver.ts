import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { makeCertificates } from './feed-receivers.ts';
import { temporaryFolder } from './folders.ts';

/** A mail as it arrived: who may read it, and every byte of it. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: string;
  readonly isEncrypted: boolean;
  readonly user: string | undefined;
}

export interface MailReceiver {
  readonly port: number;
  readonly authorityFile: string;
  readonly mails: readonly ReceivedMail[];
  /** How often somebody was named as a recipient. */
  readonly attempts: () => number;
}

export const MAIL_USER = 'tongban';
export const MAIL_PASSWORD = 'a password of the mail server';

/** A real mail server on this machine. `answers` are given to the next recipients, by their SMTP code; then all are taken. */
export async function mailReceiver(
  t: ExecutionContext,
  { answers = [], ...options }: SMTPServerOptions & { readonly answers?: number[] } = {},
): Promise<MailReceiver> {
  const folder = temporaryFolder(t);
  makeCertificates(folder);
  const mails: ReceivedMail[] = [];
  let attempts = 0;
  const server = new SMTPServer({
    cert: readFileSync(join(folder, 'server.crt')),
    key: readFileSync(join(folder, 'server.key')),
    logger: false,
    disableReverseLookup: true,
    closeTimeout: 100,
    onAuth({ username, password }, _session, callback) {
      if (username !== MAIL_USER || password !== MAIL_PASSWORD) return callback(new Error('no'));
      callback(null, { user: username });
    },
    onRcptTo(_address, _session, callback) {
      attempts += 1;
      const code = answers.shift();
      if (code === undefined) return callback();
      callback(Object.assign(new Error('not now, zhang@example.cn'), { responseCode: code }));
    },
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString(),
          isEncrypted: session.secure,
          user: session.user === undefined ? undefined : String(session.user),
        });
        callback();
      });
    },
    ...options,
  });
  server.on('error', () => undefined);
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  t.teardown(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const address = listening.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, authorityFile: join(folder, 'ca.crt'), mails, attempts: () => attempts };
}

/** The words of a mail in base64 or quoted-printable, and its subject, as people read them. */
export function readMail(raw: string): { readonly subject: string; readonly text: string; readonly headers: string } {
  const [headers = '', body = ''] = raw.split(/\r\n\r\n(.*)/s);
  const unfolded = headers.replace(/\r\n[ \t]+/g, ' ');
  const encoded = [...(/^Subject: (.*)$/m.exec(unfolded)?.[1] ?? '').matchAll(/=\?UTF-8\?([BQ])\?([^?]*)\?=/g)];
  const bytes = (kind: string, text: string): Buffer =>
    kind === 'B'
      ? Buffer.from(text, 'base64')
      : Buffer.from(
          text
            .replaceAll('_', ' ')
            .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
          'latin1',
        );
  const subject =
    encoded.length === 0
      ? (/^Subject: (.*)$/m.exec(unfolded)?.[1] ?? '')
      : Buffer.concat(encoded.map(([, kind = '', text = '']) => bytes(kind, text))).toString();
  const isBase64 = /^Content-Transfer-Encoding: base64$/im.test(unfolded);
  const isQuoted = /^Content-Transfer-Encoding: quoted-printable$/im.test(unfolded);
  const text = isBase64
    ? bytes('B', body).toString()
    : isQuoted
      ? bytes('Q', body.replace(/=\r\n/g, '').replaceAll('_', '=5F')).toString()
      : body;
  return { subject, text, headers: unfolded };
}
