import { DeliveryFailure } from './delivery-failure.ts';
import type { Message, Messenger } from './messenger.ts';
import { subjectOf } from './texts/texts.ts';

/** The settings of `smtp`, with what stands in its file. */
export interface MailServerSettings {
  readonly host: string;
  readonly port: number;
  /** `tls`: from the first byte; `starttls`: before anything is said, or nothing is; `none`: in clear. */
  readonly security: 'tls' | 'starttls' | 'none';
  /** Empty where the server asks for none. */
  readonly user: string;
  readonly password: string;
  readonly from: string;
  readonly timeoutMs: number;
  /** PEM; replaces the public authorities. */
  readonly authority?: string | undefined;
}

/** Names of the service, as a mail introduces itself. */
export interface MailNames {
  readonly nameZh: string;
  readonly nameEn: string;
}

/**
 * One mailbox and nothing that could be read as a second one, a header or a command (V28). Addresses are judged when they are bound; this
 * is the last look.
 */
const MAILBOX = /^[^\s\p{Cc}<>()[\]\\,;:"@]{1,64}@[^\s\p{Cc}<>()[\]\\,;:"@]{1,255}$/u;

/**
 * Hands each message to a mail server (RFC 5321) as plain text. The message id is made of ours, the same over all attempts: a server that sees
 * it twice may drop one. A 5xx for the recipient or the message ends the attempts; everything else is tried again, the refusal of our password
 * too, which is for the operator to mend.
 */
export function createMailServer(settings: MailServerSettings, names: MailNames): Messenger {
  const { host, port, security, user, password, from, timeoutMs, authority } = settings;
  const domain = from.replace(/^.*@/, '').replace(/>.*$/, '');
  // Loaded by whoever has a mail server, and by nobody else's start.
  const transport = import('nodemailer').then(({ createTransport }) =>
    createTransport({
      host,
      port,
      secure: security === 'tls',
      requireTLS: security === 'starttls',
      ignoreTLS: security === 'none',
      tls: { minVersion: 'TLSv1.2', ...(authority === undefined ? {} : { ca: authority }) },
      ...(user === '' ? {} : { auth: { user, pass: password } }),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      dnsTimeout: timeoutMs,
      // Nothing of a message is ever a path or an address to be fetched.
      disableFileAccess: true,
      disableUrlAccess: true,
    }),
  );
  return {
    channels: ['email'],
    async deliver({ id, address, template, text, language }: Message, signal) {
      if (!MAILBOX.test(address)) throw new DeliveryFailure('the address is no mailbox', { permanent: true });
      try {
        await (await transport).sendMail({
          from,
          to: { name: '', address },
          subject: subjectOf(language, template, names),
          text: `${text}\n`,
          messageId: `<${id}@${domain}>`,
          headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
          signal,
        });
      } catch (error) {
        throw failureOf(error);
      }
    },
  };
}

/** The mail server's own words are not kept: they quote addresses. */
function failureOf(cause: unknown): DeliveryFailure {
  const { code, responseCode, command } = cause as Readonly<Record<'code' | 'responseCode' | 'command', unknown>>;
  if (typeof responseCode !== 'number')
    return new DeliveryFailure(`the mail server could not be used: ${String(code)}`, { cause });
  const isFinal = responseCode >= 500 && (command === 'RCPT TO' || command === 'DATA');
  return new DeliveryFailure(`the mail server answered ${responseCode}`, { permanent: isFinal, cause });
}

/** Several messengers as one; the first that reaches a channel has it. */
export const joinedMessengers = (messengers: readonly Messenger[]): Messenger => ({
  channels: [...new Set(messengers.flatMap(({ channels }) => channels))],
  async deliver(message, signal) {
    const messenger = messengers.find(({ channels }) => channels.includes(message.channel));
    if (messenger === undefined) throw new DeliveryFailure(`nothing reaches ${message.channel}`, { permanent: true });
    await messenger.deliver(message, signal);
  },
});
