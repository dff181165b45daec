import type { Sealer } from '../crypto/sealing.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database } from '../storage/database.ts';
import type { Channel, Messenger } from './messenger.ts';

/** A message as the mailbox page shows it. `at` is epoch seconds. */
export interface MailboxMessage {
  readonly id: string;
  readonly channel: Channel;
  readonly address: string;
  readonly text: string;
  readonly at: number;
}

/** Everybody's messages in one place, for demo and test; production refuses it by configuration. */
export interface Mailbox extends Messenger {
  /** The newest first, at most `limit`. */
  list(limit: number): Promise<readonly MailboxMessage[]>;
  /** Deletes up to `limit` messages older than a day; resolves with how many. */
  sweep(limit: number): Promise<number>;
}

const KEPT_SECONDS = 86_400;

const INSERT = 'INSERT INTO mailbox (id, sealed, at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING';
const SELECT = 'SELECT id, sealed, at FROM mailbox ORDER BY at DESC, id DESC LIMIT $1';
const SWEEP = 'DELETE FROM mailbox WHERE id IN (SELECT id FROM mailbox WHERE at < $1 ORDER BY at LIMIT $2)';

const contextOf = (id: string): string => `mailbox:sealed:${id}`;

export function createMailbox({ database, sealer }: { readonly database: Database; readonly sealer: Sealer }): Mailbox {
  return {
    channels: ['sms', 'email', 'voice'],
    async deliver({ id, channel, address, text }) {
      const sealed = sealer.seal(JSON.stringify({ channel, address, text }), contextOf(id));
      await database.run(INSERT, [id, sealed, nowSeconds()]);
    },
    async list(limit) {
      const rows = await database.all<{ id: string; sealed: Uint8Array; at: number }>(SELECT, [limit]);
      return rows.map(({ id, sealed, at }) => ({ id, at, ...JSON.parse(sealer.unseal(sealed, contextOf(id))) }));
    },
    sweep: (limit) => database.run(SWEEP, [nowSeconds() - KEPT_SECONDS, limit]),
  };
}
