import type { Database } from '../../storage/database.ts';
import { deadLetters, markReplayed } from './dead-letters.ts';
import { type Feed, FeedFailure, SEND_MS } from './feed.ts';
import { type MessageSources, singleMessage } from './messages.ts';

const PAGE = 256;

/** What became of the dead letters: `gone` ones are no longer in the ledger; `failure` is why it stopped before the end. */
export interface ResendOutcome {
  readonly sent: number;
  readonly refused: number;
  readonly gone: number;
  readonly failure?: string;
}

/**
 * Sends the dead letters of a feed again, one by one in the order of their numbers, out of the order of the feed. One that is
 * refused again stays; a receiver that cannot be reached ends it.
 */
export async function resendDeadLetters(
  database: Database,
  sources: MessageSources,
  feed: Feed,
): Promise<ResendOutcome> {
  const count = { sent: 0, refused: 0, gone: 0 };
  let after = -1;
  for (;;) {
    const letters = await deadLetters(database, sources.setting.name, after, PAGE);
    if (letters.length === 0) return count;
    for (const { id, firstSeq } of letters) {
      const [stored] = await sources.reader.read(firstSeq, 1);
      const message = stored?.seq === firstSeq ? await singleMessage(sources, stored) : undefined;
      if (message === undefined) {
        count.gone += 1;
        continue;
      }
      try {
        await feed.send([message], AbortSignal.timeout(SEND_MS));
      } catch (error) {
        if (!(error instanceof FeedFailure)) throw error;
        if (error.kind === 'retryable') return { ...count, failure: error.message };
        count.refused += 1;
        continue;
      }
      await markReplayed(database, id);
      count.sent += 1;
    }
    after = letters.at(-1)?.firstSeq ?? after;
  }
}
