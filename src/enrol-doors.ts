import type { Config } from './config/schema.ts';
import type { BlindIndex } from './crypto/blind-index.ts';
import { deriveKeyBytes, hmacKey } from './crypto/digests.ts';
import type { Sealer } from './crypto/sealing.ts';
import { createMailbox, type Mailbox } from './delivery/mailbox.ts';
import { createMessageQuota, type MessageQuota } from './delivery/message-quota.ts';
import { createMessages, MESSAGE_DETAILS, MESSAGE_TOPIC, type Messages, messageHandler } from './delivery/messages.ts';
import { type Messenger, NO_MESSENGER } from './delivery/messenger.ts';
import { createNotices, type Notices } from './delivery/notices.ts';
import { createOutbound } from './delivery/outbound.ts';
import type { DeliveryHandler, OutcomeEvents } from './delivery/outbox-contract.ts';
import { createSmsGateway } from './delivery/sms-gateway.ts';
import { createOneTimeCodes, type OneTimeCodes } from './factors/one-time-code.ts';
import type { Ledger } from './ledger/ledger.ts';
import { channelsOf } from './people/reachable.ts';
import type { Database } from './storage/database.ts';
import { createSqlCounters } from './storage/sql-counters.ts';

/** What reaches people: messages, their quotas, notices, and the codes that are sent. */
export interface Reaching {
  readonly messages: Messages;
  readonly messageQuota: MessageQuota;
  readonly notices: Notices;
  readonly codes: OneTimeCodes;
  /** The mailbox of demo and test, where that is how messages go. */
  readonly mailbox: Mailbox | undefined;
  /** What the outbox does with messages, for the one process that delivers. */
  readonly messageDelivery: {
    readonly handlers: Readonly<Record<string, DeliveryHandler>>;
    readonly events: Readonly<Record<string, OutcomeEvents>>;
  };
  readonly sweeps: readonly ((limit: number) => Promise<number>)[];
}

export interface ReachingSources {
  readonly config: Config;
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
}

/** Chooses the messenger and builds what stands on it. Counts in SQL: a quota must outlive a restart and hold on every node. */
export function createReaching({ config, database, sealer, index, ledger }: ReachingSources): Reaching {
  const mailbox = config.messenger === 'mailbox' ? createMailbox({ database, sealer }) : undefined;
  const messenger: Messenger =
    mailbox ??
    (config.messenger === 'gateway' ? createSmsGateway(config.sms, createOutbound(config.outbound)) : NO_MESSENGER);
  const quota = createMessageQuota({ counters: createSqlCounters(database), index, limits: config.messages });
  const messages = createMessages({ database, sealer, messenger });
  const codeKey = hmacKey(deriveKeyBytes(hmacKey(Buffer.from(config.secrets.pepper, 'utf8')), 'one-time-codes'));
  const codes = createOneTimeCodes({ database, key: codeKey, limits: config.codes });
  return {
    messages,
    messageQuota: quota,
    notices: createNotices({ messages, ledger, channelsOf: (tx, personId) => channelsOf(tx, sealer, personId) }),
    codes,
    mailbox,
    messageDelivery: {
      handlers: { [MESSAGE_TOPIC]: messageHandler({ database, sealer, messenger, quota }) },
      events: {
        [MESSAGE_TOPIC]: { delivered: 'message.delivered', dead: 'message.undelivered', details: MESSAGE_DETAILS },
      },
    },
    sweeps: [messages.sweep, codes.sweep, ...(mailbox ? [mailbox.sweep] : [])],
  };
}
