import type { Database } from './database.ts';

/** The longest that a change stays unseen while nobody tells of it: half of the second we promise. */
const LOOK_MS = 500;

export interface ChangeWatchOptions {
  readonly database: Pick<Database, 'changeStamp' | 'listen'>;
  readonly lookMs?: number;
  /** Told when the store could not be asked; the next look tries again. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Notices that some process on this store has changed portals, keys or settings: at once where the engine tells of it, by looking twice a
 * second everywhere. Whoever keeps any of these in memory reads them again when called. Everybody is called after the listening
 * connection was made anew as well, for what was told meanwhile is lost.
 */
export interface ChangeWatch {
  /** `listener` is called once soon, and after each change, one call at a time. After one that throws, which `onFault` hears, the next look calls again. */
  onChange(listener: () => void | Promise<void>): void;
  stop(): Promise<void>;
}

interface Follower {
  readonly listener: () => void | Promise<void>;
  /** Has not yet seen what changed last. */
  isDue: boolean;
}

export function startChangeWatch({ database, lookMs = LOOK_MS, onFault }: ChangeWatchOptions): ChangeWatch {
  const followers: Follower[] = [];
  let stamp: number | undefined;
  let isStopped = false;
  let running: Promise<void> | undefined;
  let isAskedAgain = false;

  const tell = async (follower: Follower): Promise<void> => {
    follower.isDue = false;
    try {
      await follower.listener();
    } catch (error) {
      follower.isDue = true;
      onFault(error);
    }
  };

  const round = async (): Promise<void> => {
    const seen = await database.changeStamp();
    if (stamp !== undefined && seen !== stamp) for (const follower of followers) follower.isDue = true;
    stamp = seen;
    await Promise.all(followers.filter(({ isDue }) => isDue).map(tell));
  };

  const look = (): void => {
    if (isStopped) return;
    if (running !== undefined) {
      isAskedAgain = true;
      return;
    }
    isAskedAgain = false;
    running = round()
      .catch(onFault)
      .finally(() => {
        running = undefined;
        if (isAskedAgain) look();
      });
  };

  const timer = setInterval(look, lookMs);
  timer.unref();
  const ear = database.listen(() => {
    for (const follower of followers) follower.isDue = true;
    look();
  });

  return {
    onChange(listener) {
      // What changed before the first look was told to nobody.
      followers.push({ listener, isDue: true });
    },
    async stop() {
      isStopped = true;
      clearInterval(timer);
      await ear.stop();
      await running;
    },
  };
}
