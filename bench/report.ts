import type { Bars } from './bars.ts';
import type { RedisBytes } from './engine-space.ts';
import type { Measured } from './measure.ts';
import type { PeerName } from './peers.ts';
import type { Bar } from './scenarios.ts';
import type { SealingCost } from './sealing-cost.ts';
import type { Storm } from './storm.ts';

/** Processor time of one scenario without the ledger as a share of that with it: 1 would be a ledger that costs nothing. */
export interface LedgerCost {
  readonly scenario: string;
  readonly onMicroseconds: number;
  readonly offMicroseconds: number;
  readonly share: number;
  /** Operations a second with it as a share of those without: what callers notice, where a request also waits for the disk. */
  readonly throughputShare: number;
}

/** What is left of the speed of the same server without a ledger, at least. */
export const LEDGER_SHARE_MIN = 0.95;

/** One scenario for a portal that gets SM2 beside one that gets ES256. */
export interface Sm2Cost {
  readonly scenario: string;
  readonly es256: Measured;
  readonly sm2: Measured;
}

/** What is left of the throughput of ES256, at least. */
export const SM2_SHARE_MIN = 0.95;

/** What the limiter takes of one single sign-on, whose whole processor time stands beside it. */
export interface LimiterCost {
  readonly microseconds: number;
  readonly ssoMicroseconds: number;
}

/** Of a single sign-on, at most. */
export const LIMITER_SHARE_MAX = 0.03;

const limiterShare = ({ microseconds, ssoMicroseconds }: LimiterCost): number => microseconds / ssoMicroseconds;

/** Of a sign-in, at most. */
export const SEALING_SHARE_MAX = 0.05;

const sealingShare = ({ microseconds, ofMicroseconds }: SealingCost): number => microseconds / ofMicroseconds;

/** Userinfo and SSO are told beside it and bound by nothing: to open what is asked for is most of what they are there for. */
const isBound = ({ name }: SealingCost): boolean => name.startsWith('sign-in');

const throughputShare = ({ es256, sm2 }: Sm2Cost): number => sm2.operationsPerSecond / es256.operationsPerSecond;

/** One scenario, measured on one or both servers. `holds` is undefined where there is no bar or no peer to hold it against. */
export interface Row {
  readonly name: string;
  readonly peers: Partial<Readonly<Record<PeerName, Measured>>>;
  readonly ratio: number | undefined;
  readonly bar: Bar | undefined;
  readonly holds: boolean | undefined;
  readonly note: string;
}

export interface Extra {
  readonly peer: PeerName;
  readonly storm?: Storm;
  readonly coldStartMs?: number;
  readonly ledger?: readonly LedgerCost[];
  readonly sm2?: readonly Sm2Cost[];
  readonly limiter?: LimiterCost;
  readonly sealing?: readonly SealingCost[];
  /** Bytes of Redis a session. */
  readonly redisSession?: RedisBytes;
}

/** Puts the two servers side by side: the ratio the scenario's bar is about (processor time when it has none). */
export function rowOf(name: string, peers: Row['peers'], bar: Bar | undefined, remark = ''): Row {
  const { ours, bare } = peers;
  if (!ours || !bare) return { name, peers, ratio: undefined, bar, holds: undefined, note: remark };
  const throughput = bar?.kind === 'throughput';
  const ratio = throughput
    ? ours.operationsPerSecond / bare.operationsPerSecond
    : ours.cpuMicroseconds / bare.cpuMicroseconds;
  const holds = bar && (throughput ? ratio >= bar.limit : ratio <= bar.limit);
  const unlike = ours.requestsPerOperation !== bare.requestsPerOperation;
  const counts = `requests ${ours.requestsPerOperation.toFixed(1)} / ${bare.requestsPerOperation.toFixed(1)}`;
  const note = [remark, unlike && counts].filter(Boolean).join(', ');
  return { name, peers, ratio, bar, holds, note };
}

const COLUMNS = [
  'scenario',
  'peer',
  'ops/s',
  'p50 ms',
  'p99 ms',
  'CPU us/op',
  'ratio',
  'bar',
  'holds',
  'note',
] as const;

export function printRows(rows: readonly Row[]): string {
  const cells = rows.flatMap((row) =>
    (['ours', 'bare'] as const).flatMap((peer, index) => {
      const measured = row.peers[peer];
      if (!measured) return [];
      const last = index === 1 || !row.peers.bare;
      return [
        [
          row.name,
          peer,
          measured.operationsPerSecond.toFixed(0),
          measured.p50Ms.toFixed(1),
          measured.p99Ms.toFixed(1),
          measured.cpuMicroseconds.toFixed(0),
          last && row.ratio !== undefined ? row.ratio.toFixed(2) : '',
          last && row.bar ? barText(row.bar) : '',
          last && row.holds !== undefined ? (row.holds ? 'yes' : 'NO') : '',
          last ? row.note : '',
        ],
      ];
    }),
  );
  return table([[...COLUMNS], ...cells]);
}

const barText = ({ kind, limit }: Bar): string => (kind === 'cpu' ? `CPU <= ${limit}` : `ops/s >= ${limit}`);

export function printExtras(extras: readonly Extra[], bars: Bars): string {
  return extras
    .flatMap(({ peer, storm, coldStartMs, ledger = [], sm2 = [], limiter, sealing = [], redisSession }) => {
      const lines: string[] = [];
      if (storm) {
        const ratio = storm.stormP99Ms / storm.idleP99Ms;
        const verdict =
          peer === 'ours' ? `, bar <= ${bars.stormRatioMax}: ${ratio <= bars.stormRatioMax ? 'holds' : 'MISSED'}` : '';
        lines.push(
          `storm (${peer}): SSO at 40/s idle p50 ${storm.idleP50Ms.toFixed(1)} p99 ${storm.idleP99Ms.toFixed(1)} ms, ` +
            `storm p50 ${storm.stormP50Ms.toFixed(1)} p99 ${storm.stormP99Ms.toFixed(1)} ms, ratio ${ratio.toFixed(2)}${verdict} ` +
            `(${storm.signInsPerSecond.toFixed(1)} sign-ins/s, ${storm.shedCount} turned away)`,
        );
      }
      if (coldStartMs !== undefined) {
        const verdict =
          peer === 'ours'
            ? `, bar <= ${bars.coldStartMsMax} ms: ${coldStartMs <= bars.coldStartMsMax ? 'holds' : 'MISSED'}`
            : '';
        lines.push(`cold start (${peer}): ${coldStartMs.toFixed(0)} ms${verdict}`);
      }
      for (const { scenario, onMicroseconds, offMicroseconds, share, throughputShare: quick } of ledger) {
        const verdict = share >= LEDGER_SHARE_MIN ? 'holds' : 'MISSED';
        lines.push(
          `ledger cost (${scenario}): ${onMicroseconds.toFixed(0)} us with, ${offMicroseconds.toFixed(0)} us without, ` +
            `share ${share.toFixed(3)} (of throughput ${quick.toFixed(3)}), bar >= ${LEDGER_SHARE_MIN}: ${verdict}`,
        );
      }
      for (const cost of sm2) {
        const share = throughputShare(cost);
        const verdict = share >= SM2_SHARE_MIN ? 'holds' : 'MISSED';
        lines.push(
          `SM2 tokens (${cost.scenario}): ${figures(cost.sm2)} beside ${figures(cost.es256)} with ES256, ` +
            `share ${share.toFixed(3)} (by CPU ${(cost.es256.cpuMicroseconds / cost.sm2.cpuMicroseconds).toFixed(3)}), ` +
            `bar >= ${SM2_SHARE_MIN}: ${verdict}`,
        );
      }
      if (limiter) {
        const share = limiterShare(limiter);
        lines.push(
          `limiter cost (SSO): ${limiter.microseconds.toFixed(2)} of ${limiter.ssoMicroseconds.toFixed(0)} us, ` +
            `${(share * 100).toFixed(3)} %, bar < ${LIMITER_SHARE_MAX * 100} %: ${share < LIMITER_SHARE_MAX ? 'holds' : 'MISSED'}`,
        );
      }
      for (const cost of sealing) {
        const share = sealingShare(cost);
        const bar = isBound(cost)
          ? `, bar < ${SEALING_SHARE_MAX * 100} %: ${share < SEALING_SHARE_MAX ? 'holds' : 'MISSED'}`
          : '';
        lines.push(
          `sealing cost (${cost.name}): ${cost.seals} sealed, ${cost.opens} opened, ${cost.keptOpens} out of kept rows, ` +
            `${cost.microseconds.toFixed(1)} of ${cost.ofMicroseconds.toFixed(0)} us, ${(share * 100).toFixed(2)} %${bar}`,
        );
      }
      if (redisSession !== undefined) {
        const verdict = redisSession.lasting <= bars.redisSessionBytesMax ? 'holds' : 'MISSED';
        lines.push(
          `Redis: ${redisSession.lasting.toFixed(0)} bytes a session, ${redisSession.all.toFixed(0)} in the minute of its code, ` +
            `bar <= ${bars.redisSessionBytesMax}: ${verdict}`,
        );
      }
      return lines;
    })
    .join('\n');
}

const figures = ({ operationsPerSecond, cpuMicroseconds }: Measured): string =>
  `${operationsPerSecond.toFixed(0)}/s at ${cpuMicroseconds.toFixed(0)} us`;

/** Every bar that was missed, by name; empty when all that were measured hold. */
export function missedBars(rows: readonly Row[], extras: readonly Extra[], bars: Bars): readonly string[] {
  const missed = rows.filter(({ holds }) => holds === false).map(({ name }) => name);
  for (const { peer, storm, coldStartMs, ledger = [], sm2 = [], limiter, sealing = [], redisSession } of extras) {
    if (peer !== 'ours') continue;
    if (storm && storm.stormP99Ms > bars.stormRatioMax * storm.idleP99Ms) missed.push('storm');
    if (coldStartMs !== undefined && coldStartMs > bars.coldStartMsMax) missed.push('cold start');
    if (ledger.some(({ share }) => share < LEDGER_SHARE_MIN)) missed.push('ledger cost');
    if (sm2.some((cost) => throughputShare(cost) < SM2_SHARE_MIN)) missed.push('SM2 tokens');
    if (limiter && limiterShare(limiter) >= LIMITER_SHARE_MAX) missed.push('limiter cost');
    if (sealing.some((cost) => isBound(cost) && sealingShare(cost) >= SEALING_SHARE_MAX)) missed.push('sealing cost');
    if (redisSession !== undefined && redisSession.lasting > bars.redisSessionBytesMax) missed.push('Redis bytes');
  }
  return missed;
}

/** Left-aligned names, right-aligned figures, as wide as they need. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column < 2 || column > 6 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
