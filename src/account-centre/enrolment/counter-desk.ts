import type { BlindIndex } from '../../crypto/blind-index.ts';
import type { MessageQuota } from '../../delivery/message-quota.ts';
import type { Messages } from '../../delivery/messages.ts';
import type { CodeBinding, OneTimeCodes } from '../../factors/one-time-code.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { IdentityDocument } from '../../people/documents/document.ts';
import { openAccount } from '../../people/enrolment.ts';
import type { EnrolmentDrafts } from '../../people/enrolment-drafts.ts';
import type { Identifiers } from '../../people/identifiers.ts';
import type { Persons } from '../../people/persons.ts';
import type { Database } from '../../storage/database.ts';

/** Who is enrolled, as the member of staff has read it from the card. */
export interface Assisted {
  readonly document: IdentityDocument;
  readonly name: string;
  /** In E.164. */
  readonly phone: string;
}

export type AssistOutcome =
  | { readonly state: 'waiting'; readonly draft: string }
  | { readonly state: 'exists' | 'quota' | 'no_messenger' };

export type ConfirmOutcome =
  | { readonly state: 'opened'; readonly personId: string }
  | { readonly state: 'unknown' | 'exists' | 'mismatch' | 'expired' | 'exhausted' };

/**
 * Enrolment at a counter. A member of staff enters what the card says; nothing exists until the person confirms with the code on
 * their own phone, on the page /register/confirm or by reading it out. The account is then proven at level 4, and its opening
 * names the member of staff.
 */
export interface CounterDesk {
  /** Sends the code; resolves with the id of what waits for it. `act` names the member of staff. */
  assist(assisted: Assisted, act: string): Promise<AssistOutcome>;
  confirm(draftId: string, code: string): Promise<ConfirmOutcome>;
}

export interface CounterDeskSources {
  readonly database: Database;
  readonly persons: Persons;
  readonly identifiers: Identifiers;
  readonly drafts: EnrolmentDrafts;
  readonly codes: OneTimeCodes;
  readonly codeSeconds: number;
  readonly messages: Messages;
  readonly messageQuota: MessageQuota;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
}

const SOURCE = 'counter';

class SpentCode extends Error {}

/** The code of a counter may be entered in any browser: the person has the phone in hand, and the desk a terminal. */
export const counterBinding = (draftId: string): CodeBinding => ({ purpose: 'counter', binding: draftId, browser: '' });

export function createCounterDesk(sources: CounterDeskSources): CounterDesk {
  const { database, persons, drafts, codes, messages, messageQuota, index, ledger } = sources;
  return {
    async assist({ document, name, phone }, act) {
      if (!messages.reaches('sms')) return { state: 'no_messenger' };
      if ((await persons.findByDocument(document)) !== undefined) return { state: 'exists' };
      const admitted = await messageQuota.admit({ address: phone, account: index.name(document) });
      if (admitted !== 'admitted') return { state: 'quota' };
      const content = { document, name, phone, act, source: SOURCE, browser: '' };
      return database.write(async (tx): Promise<AssistOutcome> => {
        const { id } = await drafts.begin(tx, 'counter', { step: 'confirm', content });
        const issued = await codes.issue(tx, counterBinding(id));
        if (issued.state !== 'issued') return { state: 'quota' };
        const { code, minutes } = issued;
        const details = { draft: id, step: 'confirm', act };
        await ledger.append(tx, { type: 'enrolment.advanced', details });
        await messages.post(tx, {
          channel: 'sms',
          address: phone,
          template: 'code-counter',
          values: { code, minutes },
          language: 'zh-CN',
          lifetimeSeconds: sources.codeSeconds,
        });
        return { state: 'waiting', draft: id };
      });
    },

    async confirm(draftId, code) {
      const draft = await drafts.findById(draftId);
      if (draft?.kind !== 'counter' || draft.step !== 'confirm') return { state: 'unknown' };
      const checked = await codes.check(counterBinding(draft.id), code);
      if (checked.state !== 'match') return { state: checked.state };
      try {
        const outcome = await openAccount(sources, draft, undefined, async (tx) => {
          if (!(await checked.consume(tx))) throw new SpentCode();
        });
        if (outcome.state === 'opened') return { state: 'opened', personId: outcome.person.id };
        return { state: outcome.state === 'exists' ? 'exists' : 'unknown' };
      } catch (error) {
        if (error instanceof SpentCode) return { state: 'expired' };
        throw error;
      }
    },
  };
}
