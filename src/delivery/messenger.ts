import type { MessageLanguage, TemplateName } from './texts/texts.ts';

/** `voice` is a call that reads the message out. */
export type Channel = 'sms' | 'email' | 'voice';

/** One message to one person. `id` is the same over all attempts. */
export interface Message {
  readonly id: string;
  readonly channel: Channel;
  /** A phone number in E.164 or an e-mail address. */
  readonly address: string;
  readonly template: TemplateName;
  /** What the words were made of, for gateways that keep the words themselves. */
  readonly values: Readonly<Record<string, string>>;
  readonly text: string;
  /** Of the text; messages written by an older version do not say. */
  readonly language?: MessageLanguage;
}

/**
 * Delivers one message to one address or says why not: resolves when the other side has taken it, rejects with `DeliveryFailure`
 * otherwise. May be called again with the same id, and must then not reach the person twice where it can help it.
 */
export interface Messenger {
  /** What it can reach; other messages are never handed to it. */
  readonly channels: readonly Channel[];
  deliver(message: Message, signal: AbortSignal): Promise<void>;
}

/** For a house without a messenger: nothing is reached, and nothing is ever posted. */
export const NO_MESSENGER: Messenger = {
  channels: [],
  deliver: () => Promise.reject(new RangeError('there is no messenger')),
};
