import { availableParallelism, loadavg } from 'node:os';

/** What a drill says, a line each as soon as it is known, and whether all of it held. */
export interface DrillReport {
  /** A sentence with a bar: `held` or `MISSED` stands before it. */
  readonly expect: (holds: boolean, sentence: string) => void;
  /** A sentence without one. */
  readonly tell: (sentence: string) => void;
  /** 0 when everything held so far, 1 otherwise. */
  readonly exitCode: () => 0 | 1;
}

const WIDTH = 8;

export function createDrillReport(write = (text: string): unknown => process.stdout.write(text)): DrillReport {
  let missed = 0;
  return {
    expect(holds, sentence) {
      if (!holds) missed += 1;
      write(`${(holds ? 'held' : 'MISSED').padEnd(WIDTH)}${sentence}\n`);
    },
    tell: (sentence) => void write(`${' '.repeat(WIDTH)}${sentence}\n`),
    exitCode: () => (missed === 0 ? 0 : 1),
  };
}

/** Figures of a busy machine are not those of a quiet one: every drill says which it was. */
export function machineSentence(): string {
  const load = loadavg().map((minutes) => minutes.toFixed(1));
  return `load of the machine, 1, 5 and 15 minutes: ${load.join(' ')}, on ${availableParallelism()} processors`;
}

/** Something done to the servers of a drill, by the monotonic clock. */
export interface Blow {
  readonly name: string;
  readonly atMs: number;
  /** After so long nothing may fail any more. */
  readonly errorsMsMax: number;
}

/** What failed between one blow and the next: how many, and how long after the blow the last of them. */
export interface Aftermath {
  readonly blow: Blow;
  readonly failedCount: number;
  readonly lastMs: number;
}

/** Each failure belongs to the blow before it; `early` counts those of before the first. Pure. */
export function aftermathsOf(
  blows: readonly Blow[],
  failedAtMs: readonly number[],
): { readonly early: number; readonly aftermaths: readonly Aftermath[] } {
  const aftermaths = blows.map((blow, at) => {
    const untilMs = blows[at + 1]?.atMs ?? Number.POSITIVE_INFINITY;
    const own = failedAtMs.filter((ms) => ms >= blow.atMs && ms < untilMs);
    return { blow, failedCount: own.length, lastMs: Math.max(0, ...own.map((ms) => ms - blow.atMs)) };
  });
  const firstMs = blows[0]?.atMs ?? Number.POSITIVE_INFINITY;
  return { early: failedAtMs.filter((ms) => ms < firstMs).length, aftermaths };
}

/** Says of each blow what failed after it, and holds it against its bar. */
export function reportBlows(report: DrillReport, blows: readonly Blow[], failedAtMs: readonly number[]): void {
  const { early, aftermaths } = aftermathsOf(blows, failedAtMs);
  report.expect(early === 0, `${early} failed before the first blow`);
  for (const { blow, failedCount, lastMs } of aftermaths) {
    report.expect(
      lastMs <= blow.errorsMsMax,
      `${blow.name}: ${failedCount} failed, the last ${Math.round(lastMs)} ms after it began; at most ${blow.errorsMsMax} ms`,
    );
  }
}
