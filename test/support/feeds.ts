import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { createOutbound } from '../../src/delivery/outbound.ts';
import { loadFeeds } from '../../src/monitoring/feeds/feed-config.ts';
import type { FeedSetting } from '../../src/monitoring/feeds/feed-setting.ts';
import { type RunningFeeds, startFeeds } from '../../src/monitoring/feeds/feeds.ts';
import type { LedgerGap } from '../../src/monitoring/feeds/runner.ts';
import type { Database } from '../../src/storage/database.ts';
import { temporaryFolder } from './databases.ts';
import { ledgerEntries, testLedger } from './ledger.ts';
import { signLedger } from './ledger-rows.ts';

export const SECRET = 'a secret of more than thirty-two characters';

/** The settings of feeds as an operator writes them, in a folder with a secret file named `secret`. */
export function settingsOf(
  t: ExecutionContext,
  list: readonly object[],
  folder = temporaryFolder(t),
): readonly FeedSetting[] {
  writeFileSync(join(folder, 'secret'), `${SECRET}\n`);
  const file = join(folder, 'feeds.json');
  writeFileSync(file, JSON.stringify(list));
  const loaded = loadFeeds(file);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded.feeds;
}

/** A ledger with feeds on it: what a server would run, without the server. */
export function feedHouse(t: ExecutionContext, database: Database) {
  const ledger = testLedger(database);
  const gaps: LedgerGap[] = [];
  const outbound = (origin?: string) =>
    createOutbound({ allowedOrigins: origin === undefined ? [] : [origin], timeoutMs: 5000 });
  const start = (feeds: readonly FeedSetting[], origin?: string): RunningFeeds => {
    const running = startFeeds({
      reader: ledger.reader,
      database,
      ledger,
      feeds,
      outbound: outbound(origin),
      log: pino({ level: 'silent' }),
      onGap: (gap) => {
        gaps.push(gap);
      },
    });
    t.teardown(() => running.stop());
    return running;
  };
  const told = async (prefix = 'feed.'): Promise<string[]> =>
    (await ledgerEntries(database)).map(({ type }) => type).filter((type) => type.startsWith(prefix));
  return { ledger, gaps, outbound, start, told, sign: () => signLedger(database) };
}
