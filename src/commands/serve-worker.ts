import cluster from 'node:cluster';
import type { Config } from '../config/schema.ts';
import type { HashPlaces } from '../factors/hash-queue.ts';
import type { Telling } from '../monitoring/monitoring.ts';
import type { Begin, FromPrimary, FromWorker, Question } from '../workers/messages.ts';
import { hashesAtOnce, shareOf } from '../workers/share.ts';
import { createLog, serveHouse } from './serve-house.ts';

/** One of the workers of a primary: serves its share, and ends when the primary says so, or with it. */
export async function runWorker(config: Config): Promise<number> {
  // A terminal and a service manager send these to every process; the primary decides who ends when.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);
  const begun = Promise.withResolvers<Begin>();
  const ended = Promise.withResolvers<string>();
  const granted: (() => void)[] = [];
  let telling: Telling | undefined;
  let tellsEnd = false;
  process.on('message', (message: FromPrimary) => {
    switch (message.kind) {
      case 'begin':
        return begun.resolve(message);
      case 'place':
        return granted.shift()?.();
      case 'ask':
        return void answer(telling, message.question).then((told) =>
          say({ kind: 'answer', id: message.id, answer: told }),
        );
      case 'end':
        tellsEnd = message.tells;
        return ended.resolve(message.signal);
    }
  });
  say({ kind: 'hello' });
  const { number, count, tellsStart, showsDemo } = await begun.promise;
  const hashPlaces: HashPlaces = {
    share: hashesAtOnce(config) / count,
    ask(callBack) {
      granted.push(callBack);
      say({ kind: 'place-wanted' });
    },
    giveBack: () => say({ kind: 'place-free' }),
  };
  const log = createLog(config, { worker: number });
  try {
    return await serveHouse(shareOf(config, count), {
      log,
      place: { worker: number, hashPlaces },
      worker: { tellsStart: tellsStart ? config : undefined, tellsEnd: () => tellsEnd },
      showsDemo,
      welcome(text, serving) {
        telling = serving.telling;
        say({ kind: 'ready', welcome: showsDemo ? text : undefined });
      },
      untilEnd: () => ended.promise,
    });
  } finally {
    // The channel would keep the process alive.
    cluster.worker?.disconnect();
  }
}

/** To a primary that is gone nothing is said; the process ends with the channel. */
function say(message: FromWorker): void {
  process.send?.(message, undefined, undefined, () => undefined);
}

async function answer(telling: Telling | undefined, question: Question): Promise<unknown> {
  try {
    if (question.about === 'ledger') return await telling?.ledger(question.path);
    return await telling?.[question.about]();
  } catch {
    // The primary counts a worker without an answer as one that does not serve.
    return undefined;
  }
}
