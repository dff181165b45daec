import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { monotonicMs } from '../../shared/clock.ts';
import { causeOf, type Doubt, type Feed, FeedFailure } from './feed.ts';
import type { SyslogSetting } from './feed-setting.ts';
import { type Reach, type SentMark, SentWindow } from './sent-window.ts';
import { syslogFrames } from './syslog-frame.ts';

const KEEP_ALIVE_MS = 30_000;
const CLOSE_MS = 1000;

/** After an end in order everything the receiver had got was read; only what was still on its way may be lost. */
const AFTER_ORDERLY_END: Reach = { ageMsMax: 2000, bytesMax: Number.POSITIVE_INFINITY };
/**
 * After an error nobody knows what was read. What our own system holds unacknowledged is at most its send buffer (4 MiB on
 * Linux), for at most the half hour after which it gives a silent receiver up.
 */
const AFTER_ERROR: Reach = { ageMsMax: 1_800_000, bytesMax: 4_194_304 };

/**
 * Syslog (RFC 5424) over TCP (RFC 6587) or TLS (RFC 5425) on one connection that is kept open. Neither protocol acknowledges
 * anything, so "has" means: written, flushed to the system, and the connection was alive afterwards. Messages stay in doubt
 * for two seconds; when the connection ends, those in doubt are told to the runner, which sends them again: after an end in order
 * the last two seconds, after an error as much as the buffers may have held. The receiver tells doubles by their numbers.
 */
export function createSyslogFeed(setting: SyslogSetting): Feed {
  const sent = new SentWindow();
  let socket: Socket | undefined;
  let interrupted: SentMark | undefined;

  const dropped = (ended: boolean): void => {
    const mark = sent.within(ended ? AFTER_ORDERLY_END : AFTER_ERROR, monotonicMs());
    sent.clear();
    if (mark !== undefined && (interrupted === undefined || mark.from < interrupted.from)) interrupted = mark;
  };

  const open = async (signal: AbortSignal): Promise<Socket> => {
    const opened = await connected(setting, signal);
    let ended = false;
    let failed = false;
    opened.setKeepAlive(true, KEEP_ALIVE_MS);
    // A receiver has nothing to say; what it sends is thrown away so that the end of the connection is seen.
    opened.resume();
    opened.once('end', () => {
      ended = true;
    });
    opened.on('error', () => {
      failed = true;
    });
    opened.once('close', () => {
      if (socket === opened) socket = undefined;
      dropped(ended && !failed);
    });
    return opened;
  };

  return {
    async send(batch, signal) {
      const bytes = syslogFrames(batch, setting.enterpriseNumber);
      const current = socket ?? (await open(signal));
      socket = current;
      try {
        await flushed(current, bytes, signal);
      } catch (error) {
        current.destroy();
        throw new FeedFailure('retryable', failureText(error), error);
      }
      interrupted = undefined;
      sent.note(batch, bytes.length, monotonicMs());
    },

    doubt(): Doubt | undefined {
      if (interrupted !== undefined) return { ...interrupted, interrupted: true };
      const mark = sent.within(AFTER_ORDERLY_END, monotonicMs());
      return mark && { ...mark, interrupted: false };
    },

    async close() {
      const current = socket;
      socket = undefined;
      if (current !== undefined && (await endInOrder(current))) interrupted = undefined;
      const left = interrupted && { ...interrupted, interrupted: true };
      interrupted = undefined;
      return left;
    },
  };
}

/** True when the receiver ended its side after ours, which it does when it has read to the end: the one acknowledgement TCP has. */
async function endInOrder(socket: Socket): Promise<boolean> {
  let answered = false;
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.once('end', () => {
    answered = true;
  });
  const timer = setTimeout(() => socket.destroy(), CLOSE_MS);
  socket.end();
  await closed;
  clearTimeout(timer);
  return answered;
}

const failureText = (error: unknown): string =>
  error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')
    ? 'timed out'
    : `connection lost (${causeOf(error)})`;

/** Opens a connection; a certificate that does not hold is a failure like any other and never accepted. */
function connected({ host, port, tls }: SyslogSetting, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const serverName = tls?.serverName ?? (isIP(host) === 0 ? host : undefined);
  const socket =
    tls === undefined
      ? connectTcp({ host, port })
      : connectTls({
          host,
          port,
          ...(serverName === undefined ? {} : { servername: serverName }),
          ...(tls.ca === undefined ? {} : { ca: tls.ca }),
          ...(tls.cert === undefined ? {} : { cert: tls.cert, key: tls.key }),
          minVersion: 'TLSv1.2',
          rejectUnauthorized: true,
        });
  const settle = (): void => {
    signal.removeEventListener('abort', onAbort);
    socket.off('error', onError);
  };
  const fail = (reason: string, error: unknown): void => {
    settle();
    socket.on('error', () => undefined);
    socket.destroy();
    reject(new FeedFailure('retryable', reason, error));
  };
  const onAbort = (): void => fail('timed out', signal.reason);
  const onError = (error: Error): void => fail(`cannot connect (${causeOf(error)})`, error);
  socket.once('error', onError);
  socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
    settle();
    resolve(socket);
  });
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return promise;
}

/** Resolves when the system has taken the bytes and the connection has not ended in the same turn. */
function flushed(socket: Socket, bytes: Buffer, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const gone = (): void => reject(new Error('ended'));
  const aborted = (): void => reject(signal.reason);
  socket.once('close', gone);
  socket.once('end', gone);
  socket.once('error', reject);
  signal.addEventListener('abort', aborted, { once: true });
  if (signal.aborted) aborted();
  if (socket.destroyed || socket.readableEnded) gone();
  else {
    socket.write(bytes, (error) => {
      if (error) reject(error);
      else setImmediate(() => (socket.destroyed || socket.readableEnded ? gone() : resolve()));
    });
  }
  return promise.finally(() => {
    socket.off('close', gone);
    socket.off('end', gone);
    socket.off('error', reject);
    signal.removeEventListener('abort', aborted);
  });
}
