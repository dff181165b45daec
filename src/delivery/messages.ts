import type { Sealer } from '../crypto/sealing.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { DeliveryFailure } from './delivery-failure.ts';
import type { MessageQuota } from './message-quota.ts';
import type { Channel, Message, Messenger } from './messenger.ts';
import { enqueue } from './outbox.ts';
import type { DeliveryHandler } from './outbox-contract.ts';
import {
  type MessageLanguage,
  messageText,
  messageValue,
  type TemplateName,
  type TemplateValues,
} from './texts/texts.ts';

export const MESSAGE_TOPIC = 'message';
/** A topic of its own, without events: the ledger tells of no message that nobody gets. */
const TO_NOBODY_TOPIC = 'message-to-nobody';
/** Which members of a payload the ledger is told with the outcome. */
export const MESSAGE_DETAILS = ['channel', 'template'] as const;

/** A message to be sent. `personId` is missing where nobody has an account yet. */
export interface NewMessage<Name extends TemplateName = TemplateName> {
  readonly channel: Channel;
  readonly address: string;
  readonly template: Name;
  readonly values: TemplateValues[Name];
  readonly language: MessageLanguage;
  readonly personId?: string | undefined;
  /** After this time it would only confuse: it is dropped and told as undelivered. */
  readonly lifetimeSeconds: number;
  /** Nobody asked for it: it counts against the quota of notices when it is delivered. */
  readonly isNotice?: boolean;
  /** It leaves so much later; at once where nothing is said. */
  readonly delaySeconds?: number;
}

export type MessageToNobody<Name extends TemplateName = TemplateName> = Omit<
  NewMessage<Name>,
  'channel' | 'address' | 'personId' | 'isNotice'
>;

export interface Messages {
  /** Whether a message over this channel can leave the house at all. */
  reaches(channel: Channel): boolean;
  /**
   * Puts a message into the transaction of what it tells of; it is delivered after the commit. Address and words lie sealed, the
   * outbox holds an id. Ask the quota before.
   */
  post<Name extends TemplateName>(tx: Transaction, message: NewMessage<Name>): Promise<void>;
  /**
   * The same work, and nobody gets it: for pages whose time must not tell whether there is somebody to write to (D9). Ask the quota before
   * here too: it bounds the rows that strangers cause.
   */
  postToNobody<Name extends TemplateName>(tx: Transaction, message: MessageToNobody<Name>): Promise<void>;
  /** Deletes up to `limit` messages whose time is over; resolves with how many. */
  sweep(limit: number): Promise<number>;
}

type Content = Omit<Message, 'id'>;

const INSERT = 'INSERT INTO messages (id, sealed, expires_at) VALUES ($1, $2, $3)';
const SELECT = 'SELECT sealed, expires_at FROM messages WHERE id = $1';
const DELETE = 'DELETE FROM messages WHERE id = $1';
const SWEEP =
  'DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)';
/** The outbox ends a message that is too old with its event; the sweep only takes what even that has forgotten. */
const SWEPT_AFTER_SECONDS = 86_400;

/** As long as a number of somebody. */
const NOBODY = { channel: 'sms', address: '+8600000000000' } as const;

const contextOf = (id: string): string => `messages:sealed:${id}`;

export interface MessageSources {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly messenger: Messenger;
}

export function createMessages({ database, sealer, messenger }: MessageSources): Messages {
  const put = async <Name extends TemplateName>(
    tx: Transaction,
    topic: string,
    {
      channel,
      address,
      template,
      values,
      language,
      personId,
      lifetimeSeconds,
      isNotice,
      delaySeconds = 0,
    }: NewMessage<Name>,
  ): Promise<void> => {
    const id = newId('msg');
    const safe = Object.fromEntries(
      Object.entries(values as Readonly<Record<string, string>>).map(([name, value]) => [name, messageValue(value)]),
    );
    const text = messageText(language, template, safe as unknown as typeof values);
    const content: Content = { channel, address, template, values: safe, text, language };
    const sealed = sealer.seal(JSON.stringify(content), contextOf(id));
    await tx.run(INSERT, [id, sealed, nowSeconds() + lifetimeSeconds]);
    await enqueue(tx, {
      topic,
      delaySeconds,
      payload: {
        message: id,
        channel,
        template,
        destination: channel,
        ...(personId === undefined ? {} : { personId }),
        ...(isNotice === true ? { isNotice } : {}),
      },
    });
  };
  return {
    reaches: (channel) => messenger.channels.includes(channel),
    post: (tx, message) => put(tx, MESSAGE_TOPIC, message),
    postToNobody: (tx, message) => put(tx, TO_NOBODY_TOPIC, { ...message, ...NOBODY }),
    sweep: (limit) => database.run(SWEEP, [nowSeconds() - SWEPT_AFTER_SECONDS, limit]),
  };
}

/** Deliver what `post` has put into the outbox. What was delivered is forgotten at once: a code must not lie about. */
export function messageHandlers(
  sources: MessageSources & { readonly quota: MessageQuota },
): Readonly<Record<string, DeliveryHandler>> {
  const { database, sealer, messenger, quota } = sources;
  const handler =
    (deliver: Messenger['deliver']): DeliveryHandler =>
    async ({ message, isNotice }, { number, signal }) => {
      const id = String(message);
      const row = await database.get<{ sealed: Uint8Array; expires_at: number }>(SELECT, [id]);
      // Delivered before, by a process that died before it could say so.
      if (row === undefined) return;
      const content = JSON.parse(sealer.unseal(row.sealed, contextOf(id))) as Content;
      const refuse = async (reason: string): Promise<never> => {
        await database.run(DELETE, [id]);
        throw new DeliveryFailure(reason, { permanent: true });
      };
      if (row.expires_at <= nowSeconds()) return refuse('expired');
      if (isNotice === true && number === 1 && !(await quota.admitNotice(content.address))) return refuse('quota');
      await deliver({ id, ...content }, signal);
      await database.run(DELETE, [id]);
    };
  return {
    [MESSAGE_TOPIC]: handler((message, signal) => messenger.deliver(message, signal)),
    [TO_NOBODY_TOPIC]: handler(async () => undefined),
  };
}
