import { statfs } from 'node:fs/promises';
import type { Signer } from '../crypto/signer.ts';
import { monotonicMs, nowSeconds } from '../shared/clock.ts';
import type { RedisReading } from '../storage/redis-presence.ts';
import type { CertificateReading, FeedReading, HashReading, KeyReading, LedgerReading } from './metric-sources.ts';
import type { Finding } from './readiness.ts';

const DAY_SECONDS = 86_400;
const CERTIFICATE_WARN_SECONDS = 30 * DAY_SECONDS;
/** A key that is this much older than planned: the hourly upkeep does not do its work. */
const KEY_LATE_SECONDS = DAY_SECONDS;
const FREE_BYTES_MIN = 100 * 1024 * 1024;
const FREE_BYTES_WARN = 500 * 1024 * 1024;
const UNSIGNED_WARN_MS = 10_000;
const UNSIGNED_FAIL_MS = 60_000;
const FEED_LATE_SECONDS = 60;

const ok = (detail: string): Finding => ({ state: 'ok', detail });
const warn = (detail: string): Finding => ({ state: 'warn', detail });
const fail = (detail: string): Finding => ({ state: 'fail', detail });

const daysUntil = (at: number, now: number): number => Math.floor((at - now) / DAY_SECONDS);
const mebibytes = (bytes: number): number => Math.floor(bytes / 1024 / 1024);
const seconds = (ms: number): number => Math.round(ms / 1000);

/** The node is going (X7). */
export const judgeDraining = (draining: boolean): Finding => (draining ? fail('stopping') : ok('serving'));

/** Entries must not wait unsigned: what is not signed can still be changed unseen. */
export function judgeLedger({ unsigned, unsignedMs, entries }: LedgerReading): Finding {
  const said = `${unsigned} of ${entries} entries unsigned, the oldest for ${seconds(unsignedMs)} s`;
  if (unsignedMs > UNSIGNED_FAIL_MS) return fail(said);
  return unsignedMs > UNSIGNED_WARN_MS ? warn(said) : ok(said);
}

/** Each algorithm in use has a key that signs and one that waits; nothing is overdue. Keys of others are left alone. */
export function judgeKeys(
  all: readonly KeyReading[],
  algorithms: readonly string[],
  now: number = nowSeconds(),
): Finding {
  const keys = all.filter(({ alg }) => algorithms.includes(alg));
  const lacks = (state: string): readonly string[] =>
    algorithms.filter((alg) => !keys.some((key) => key.alg === alg && key.state === state));
  if (lacks('current').length > 0) return fail(`no signing key for ${lacks('current').join(', ')}`);
  if (lacks('next').length > 0) return warn(`no next key for ${lacks('next').join(', ')}`);
  const late = keys.filter(({ retiresAt }) => retiresAt !== undefined && retiresAt + KEY_LATE_SECONDS < now);
  if (late.length > 0) return warn(`${late.length} keys are past their end and were not replaced or removed`);
  const ends = keys.flatMap(({ state, retiresAt }) => (state === 'current' ? [retiresAt ?? now] : []));
  return ok(`${keys.length} keys, the next replacement in ${daysUntil(Math.min(...ends), now)} days`);
}

/** Warns a month before the first file ends. A file that cannot be judged fails: nobody would notice its end. */
export function judgeCertificates(files: readonly CertificateReading[], now: number = nowSeconds()): Finding {
  if (files.length === 0) return ok('no certificate files configured');
  const unknown = files.find((file) => 'reason' in file);
  if (unknown !== undefined) return fail(`${unknown.file} ${unknown.reason}`);
  const known = files.filter((file) => 'expiresAt' in file);
  const first = known.toSorted((left, right) => left.expiresAt - right.expiresAt)[0]!;
  if (first.expiresAt <= now) return fail(`${first.file} has expired`);
  const said = `${first.file} ends in ${daysUntil(first.expiresAt, now)} days`;
  return first.expiresAt - now < CERTIFICATE_WARN_SECONDS ? warn(said) : ok(said);
}

/** Below 100 MiB the store could fill up while requests are under way (X5). */
export function judgeSpace(freeBytes: number): Finding {
  const said = `${mebibytes(freeBytes)} MiB free`;
  if (freeBytes < FREE_BYTES_MIN) return fail(said);
  return freeBytes < FREE_BYTES_WARN ? warn(said) : ok(said);
}

/**
 * A full queue warns and never fails: people who are signed in need no hash, and wrong passwords sent to all nodes at once must
 * not take them all out of service (X6).
 */
export function judgeHashQueue({ waiting, running }: Pick<HashReading, 'waiting' | 'running'>, limit: number): Finding {
  const said = `${running} hashes under way, ${waiting} of ${limit} places taken`;
  return waiting >= limit ? warn(said) : ok(said);
}

/** Feeds deliver later what they cannot deliver now: they warn. */
export function judgeFeeds(feeds: readonly FeedReading[]): Finding {
  const late = feeds.filter(({ up, lagSeconds }) => !up || lagSeconds > FEED_LATE_SECONDS);
  if (late.length === 0) return ok(feeds.length === 0 ? 'no feeds configured' : `${feeds.length} feeds deliver`);
  return warn(`behind: ${late.map(({ name, lagEvents }) => `${name} by ${lagEvents} events`).join(', ')}`);
}

export const judgeRedis = ({ isAway, awayMs }: RedisReading): Finding =>
  isAway ? warn(`away for ${seconds(awayMs)} s, SQL stands in`) : ok('answers');

/** Free bytes, for whoever is not root, on the disk of a folder. */
export async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

const WRITE_EVERY_MS = 5_000;

/**
 * The store answers, and takes a write: tried at most every five seconds, since each is an fsync, and at once again after a
 * failure, so that a store that is back is believed at once (H4, X5).
 */
export function createStoreCheck(read: () => Promise<unknown>, write: () => Promise<void>): () => Promise<Finding> {
  let writtenAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    await read();
    if (monotonicMs() - writtenAtMs < WRITE_EVERY_MS) return ok('answers');
    await write();
    writtenAtMs = monotonicMs();
    return ok('answers and takes writes');
  };
}

/**
 * The ledger takes entries and they are signed. What cannot be recorded does not happen, so a node whose ledger takes none can do
 * nothing for anybody (H4). Tried as often as the store.
 */
export function createLedgerCheck(
  read: () => Promise<LedgerReading>,
  probe: () => Promise<void>,
): () => Promise<Finding> {
  let takenAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    if (monotonicMs() - takenAtMs >= WRITE_EVERY_MS) {
      try {
        await probe();
      } catch {
        // The log has the cause from the request that met it; a text of the store may hold anything.
        return fail('takes no entries');
      }
      takenAtMs = monotonicMs();
    }
    return judgeLedger(await read());
  };
}

/** No token: it holds no dot (RFC 7515 7.1). */
const SIGNER_PROBE = Buffer.from('tongban readiness');

/**
 * The signature server makes a signature that verifies. Tried as often as the store, and at every look while it fails: its circuit sees
 * to it that this costs nothing, and is closed again by it where nobody asks for a token.
 */
export function createSignerCheck(signer: () => Pick<Signer, 'sign'> | undefined): () => Promise<Finding> {
  let signedAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    if (monotonicMs() - signedAtMs >= WRITE_EVERY_MS) {
      try {
        await signer()?.sign(SIGNER_PROBE);
      } catch {
        return fail('the signature server does not sign');
      }
      signedAtMs = monotonicMs();
    }
    return ok('the signature server signs');
  };
}
