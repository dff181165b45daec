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
}

export interface Messages {
  /** Whether a message over this channel can leave the house at all. */
  reaches(channel: Channel): boolean;
  /**
   * Puts a message into the transaction of what it tells of; it is delivered after the commit. Address and words lie sealed, the
   * outbox holds an id. Ask the quota before.
   */
  post<Name extends TemplateName>(tx: Transaction, message: NewMessage<Name>): Promise<void>;
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

const contextOf = (id: string): string => `messages:sealed:${id}`;

export interface MessageSources {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly messenger: Messenger;
}

export function createMessages({ database, sealer, messenger }: MessageSources): Messages {
  return {
    reaches: (channel) => messenger.channels.includes(channel),
    async post(tx, { channel, address, template, values, language, personId, lifetimeSeconds, isNotice }) {
      const id = newId('msg');
      const safe = Object.fromEntries(
        Object.entries(values as Readonly<Record<string, string>>).map(([name, value]) => [name, messageValue(value)]),
      );
      const text = messageText(language, template, safe as unknown as typeof values);
      const content: Content = { channel, address, template, values: safe, text, language };
      const sealed = sealer.seal(JSON.stringify(content), contextOf(id));
      await tx.run(INSERT, [id, sealed, nowSeconds() + lifetimeSeconds]);
      await enqueue(tx, {
        topic: MESSAGE_TOPIC,
        payload: {
          message: id,
          channel,
          template,
          destination: channel,
          ...(personId === undefined ? {} : { personId }),
          ...(isNotice === true ? { isNotice } : {}),
        },
      });
    },
    sweep: (limit) => database.run(SWEEP, [nowSeconds() - SWEPT_AFTER_SECONDS, limit]),
  };
}

/** Delivers what `post` has put into the outbox. What was delivered is forgotten at once: a code must not lie about. */
export function messageHandler(sources: MessageSources & { readonly quota: MessageQuota }): DeliveryHandler {
  const { database, sealer, messenger, quota } = sources;
  return async ({ message, isNotice }, { number, signal }) => {
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
    await messenger.deliver({ id, ...content }, signal);
    await database.run(DELETE, [id]);
  };
}
