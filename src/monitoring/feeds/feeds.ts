import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Outbound } from '../../delivery/outbound.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { LedgerReader } from '../../ledger/reader.ts';
import { newId } from '../../shared/ids.ts';
import type { Database } from '../../storage/database.ts';
import type { Feed } from './feed.ts';
import type { FeedSetting } from './feed-setting.ts';
import type { FeedStatus } from './feed-status.ts';
import { createFileFeed } from './file.ts';
import { FeedRunner, type LedgerGap } from './runner.ts';
import { createSyslogFeed } from './syslog.ts';
import { createWebhookFeed } from './webhook.ts';

export interface FeedsSources {
  readonly reader: LedgerReader;
  readonly database: Database;
  readonly ledger: Ledger;
  readonly feeds: readonly FeedSetting[];
  readonly outbound: Outbound;
  readonly log: Pick<Logger, 'error' | 'warn' | 'info'>;
  /** Called when entries are missing or damaged, once for each stretch; the log is told in any case. */
  readonly onGap?: (gap: LedgerGap) => void | Promise<void>;
}

export interface RunningFeeds {
  /** In the order of the configuration. Costs nothing. */
  status(): readonly FeedStatus[];
  /** Ends all feeds in order, in some ten seconds at most. */
  stop(): Promise<void>;
}

const GAPS_REMEMBERED_MAX = 1000;
const PACKAGE = new URL('../../../package.json', import.meta.url);

/** The version of the product as receivers are told it. */
export const productVersion = (): string =>
  (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { readonly version: string }).version;

/** The way out that a setting describes. Nothing is opened before the first batch. */
export function createFeed(setting: FeedSetting, outbound: Outbound): Feed {
  switch (setting.kind) {
    case 'syslog':
      return createSyslogFeed(setting);
    case 'webhook':
      return createWebhookFeed(setting, outbound);
    case 'file':
      return createFileFeed(setting);
  }
}

/**
 * Starts a loop for each feed (H6, X11). Feeds do not know of one another: one that is slow or down holds up nobody. Of several
 * nodes on one database one delivers a feed and the others stand by.
 */
export function startFeeds({ feeds, outbound, onGap, log, ...sources }: FeedsSources): RunningFeeds {
  const version = productVersion();
  const holder = newId('node');
  const told = new Set<string>();
  const tellGap = async (gap: LedgerGap): Promise<void> => {
    const key = `${gap.reason}:${gap.from}-${gap.to}`;
    if (told.has(key) || told.size >= GAPS_REMEMBERED_MAX) return;
    log.error({ ...gap }, 'the ledger has a gap');
    await onGap?.(gap);
    told.add(key);
  };
  const runners = feeds.map(
    (setting) =>
      new FeedRunner({
        ...sources,
        setting,
        log,
        version,
        holder,
        feed: createFeed(setting, outbound),
        onGap: tellGap,
      }),
  );
  return {
    status: () => runners.map((runner) => runner.status()),
    async stop() {
      await Promise.all(runners.map((runner) => runner.stop()));
    },
  };
}
