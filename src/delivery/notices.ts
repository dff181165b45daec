import type { Ledger } from '../ledger/ledger.ts';
import type { Transaction } from '../storage/database.ts';
import type { Messages } from './messages.ts';
import type { Channel } from './messenger.ts';
import type { MessageLanguage, TemplateName, TemplateValues } from './texts/texts.ts';

/** What a person is told without having asked: every template that is no code. */
export type NoticeName = Exclude<TemplateName, `code-${string}`>;

/** Where a person can be reached, each proven to be theirs. */
export interface ReachableAt {
  readonly channel: Channel;
  readonly address: string;
  /** Since when, in epoch seconds; unknown of one that is about to be lost. */
  readonly provenAt?: number;
}

/**
 * Tells a person that something happened to their account: over every channel they have verified and on their account page.
 * To be called in the transaction of what happened; the messages leave after its commit. Nobody waits for a gateway.
 */
export interface Notices {
  tell<Name extends NoticeName>(
    tx: Transaction,
    personId: string,
    notice: Name,
    values: TemplateValues[Name],
  ): Promise<void>;
  /** The same over one address that the person is about to lose, or has just lost, and on no other. */
  tellAt<Name extends NoticeName>(
    tx: Transaction,
    personId: string,
    at: ReachableAt,
    notice: Name,
    values: TemplateValues[Name],
  ): Promise<void>;
}

export interface NoticeSources {
  readonly messages: Messages;
  readonly ledger: Ledger;
  /** Reads within the transaction, so that who was added or lost in it counts. */
  readonly channelsOf: (tx: Transaction, personId: string) => Promise<readonly ReachableAt[]>;
}

/** A notice is worth reading for a day; what came later than that would alarm for nothing. */
const LIFETIME_SECONDS = 86_400;
/** Nobody has asked yet in which language people want their messages. */
const LANGUAGE: MessageLanguage = 'zh-CN';
const CHANNELS_MAX = 8;

export function createNotices({ messages, ledger, channelsOf }: NoticeSources): Notices {
  const post = async <Name extends NoticeName>(
    tx: Transaction,
    personId: string,
    { channel, address }: ReachableAt,
    template: Name,
    values: TemplateValues[Name],
  ): Promise<void> => {
    if (!messages.reaches(channel)) return;
    await messages.post(tx, {
      channel,
      address,
      template,
      values,
      language: LANGUAGE,
      personId,
      lifetimeSeconds: LIFETIME_SECONDS,
      isNotice: true,
    });
  };
  const note = (tx: Transaction, personId: string, notice: NoticeName): Promise<void> =>
    ledger.append(tx, { type: 'person.notified', actor: 'system', personId, details: { notice } });

  return {
    async tell(tx, personId, notice, values) {
      await note(tx, personId, notice);
      const channels = await channelsOf(tx, personId);
      for (const at of channels.slice(0, CHANNELS_MAX)) await post(tx, personId, at, notice, values);
    },
    async tellAt(tx, personId, at, notice, values) {
      await note(tx, personId, notice);
      await post(tx, personId, at, notice, values);
    },
  };
}
