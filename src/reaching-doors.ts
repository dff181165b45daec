import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { RECOVER } from './account-centre/entrances.ts';
import type { House } from './app.ts';
import type { Config } from './config/schema.ts';
import type { BlindIndex } from './crypto/blind-index.ts';
import { deriveKeyBytes, hmacKey } from './crypto/digests.ts';
import type { Sealer } from './crypto/sealing.ts';
import { createMailServer, joinedMessengers } from './delivery/mail-server.ts';
import { createMailbox, type Mailbox } from './delivery/mailbox.ts';
import { createMessageQuota, type MessageQuota } from './delivery/message-quota.ts';
import { createMessages, MESSAGE_DETAILS, MESSAGE_TOPIC, type Messages, messageHandlers } from './delivery/messages.ts';
import { type Messenger, NO_MESSENGER } from './delivery/messenger.ts';
import { createNotices, type Notices, type ReachableAt } from './delivery/notices.ts';
import { createOutbound } from './delivery/outbound.ts';
import type { DeliveryHandler, OutcomeEvents } from './delivery/outbox-contract.ts';
import { createSmsGateway } from './delivery/sms-gateway.ts';
import { createOneTimeCodes, type OneTimeCodes } from './factors/one-time-code.ts';
import { createRecoveryCodes, type RecoveryCodes } from './factors/recovery-codes.ts';
import type { Ledger } from './ledger/ledger.ts';
import { createEnrolmentDrafts, type EnrolmentDrafts } from './people/enrolment-drafts.ts';
import { channelsOf } from './people/reachable.ts';
import { createRecoveries, type Recoveries } from './people/recoveries.ts';
import type { AdmissionSources } from './sign-in/admission.ts';
import type { Database } from './storage/database.ts';
import { createSqlCounters } from './storage/sql-counters.ts';

/** What reaches people: messages, their quotas, notices, and the codes that are sent. */
export interface Reaching {
  readonly messages: Messages;
  readonly messageQuota: MessageQuota;
  readonly notices: Notices;
  readonly codes: OneTimeCodes;
  readonly drafts: EnrolmentDrafts;
  readonly recoveries: Recoveries;
  readonly recoveryCodes: RecoveryCodes;
  /** Where a person has proven to be reached. */
  readonly channelsOf: (personId: string) => Promise<readonly ReachableAt[]>;
  /** The mailbox of demo and test, where that is how messages go. */
  readonly mailbox: Mailbox | undefined;
  /** What the outbox does with messages, for the one process that delivers. */
  readonly messageDelivery: {
    readonly handlers: Readonly<Record<string, DeliveryHandler>>;
    readonly events: Readonly<Record<string, OutcomeEvents>>;
  };
  readonly sweeps: readonly ((limit: number) => Promise<number>)[];
}

/** A key of its own for each thing that is kept as a keyed digest, all from the pepper, which is held apart from the database. */
export type KeyFor = (label: string) => KeyObject;

export const keysOf = ({ secrets }: Config): KeyFor => {
  const pepper = hmacKey(Buffer.from(secrets.pepper, 'utf8'));
  return (label) => hmacKey(deriveKeyBytes(pepper, label));
};

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
  const messenger = mailbox ?? (config.messenger === 'gateway' ? gatewaysOf(config) : NO_MESSENGER);
  const quota = createMessageQuota({ counters: createSqlCounters(database), index, limits: config.messages });
  const messages = createMessages({ database, sealer, messenger });
  const keyFor = keysOf(config);
  const recoveries = createRecoveries({ database, times: config.recovery });
  const drafts = createEnrolmentDrafts({
    database,
    sealer,
    index,
    lifetimeSeconds: config.registration.draftSeconds,
  });
  const codes = createOneTimeCodes({ database, key: keyFor('one-time-codes'), limits: config.codes });
  return {
    messages,
    messageQuota: quota,
    notices: createNotices({ messages, ledger, channelsOf: (tx, personId) => channelsOf(tx, sealer, personId) }),
    codes,
    drafts,
    recoveries,
    recoveryCodes: createRecoveryCodes({ database, key: keyFor('recovery-codes') }),
    channelsOf: (personId) => channelsOf(database, sealer, personId),
    mailbox,
    messageDelivery: {
      handlers: messageHandlers({ database, sealer, messenger, quota }),
      events: {
        [MESSAGE_TOPIC]: { delivered: 'message.delivered', dead: 'message.undelivered', details: MESSAGE_DETAILS },
      },
    },
    sweeps: [messages.sweep, codes.sweep, drafts.sweep, recoveries.sweep, ...(mailbox ? [mailbox.sweep] : [])],
  };
}

/** The SMS gateway, and the mail server where one is named. */
function gatewaysOf({ sms, smtp, outbound, branding }: Config): Messenger {
  const gateway = createSmsGateway(sms, createOutbound(outbound));
  if (smtp.host === '') return gateway;
  const authority = smtp.authorityFile === '' ? undefined : readFileSync(smtp.authorityFile, 'utf8');
  return joinedMessengers([gateway, createMailServer({ ...smtp, authority }, branding)]);
}

/** What the service is called: no password leans on it. */
export const contextWords = ({ branding }: Pick<House['config'], 'branding'>): readonly string[] => [
  branding.nameEn,
  branding.nameZh,
  branding.provinceEn,
];

/** Where a person who forgot their password begins, if that is open. */
export const recoverUrl = ({ recovery }: Config): string | undefined => (recovery.enabled ? RECOVER : undefined);

/** Stops whatever waits to replace the password of a person who has just signed in with it, and tells them. */
export const cancelRecoveries =
  ({ ledger, reaching: { recoveries, notices } }: House): AdmissionSources['alongside'] =>
  async (personId) => {
    // Looked for ahead: with nothing to stop, which is as good as always, the transaction of the sign-in waits for no answer.
    if (!(await recoveries.waits(personId))) return undefined;
    return async (tx, visit) => {
      if ((await recoveries.cancelAll(tx, personId)) === 0) return;
      const details = { cause: 'signed_in' };
      await ledger.append(tx, { ...visit, type: 'recovery.cancelled', personId, details });
      await notices.tell(tx, personId, 'recovery-cancelled', {});
    };
  };

/** Whether people can open an account themselves: it takes somebody who vouches for them. */
export const isRegistrationOpen = ({ config, registers }: House): boolean =>
  config.registration.enabled && registers.population !== undefined;
