import type { Counters } from '../../storage/counters.ts';
import type { About, Rule, RuleSettings, Tally, WatchEvent, WatchSettings } from './rule.ts';

export type Count = Extract<Tally, { readonly do: 'count' }>;
export type Mark = Extract<Tally, { readonly do: 'mark' }>;

/** A rule that has fired: what for, how much was counted, and which earlier entries the rule itself points to. */
export interface Finding {
  readonly rule: Rule;
  readonly about: About;
  readonly count: number;
  readonly evidence: readonly number[];
  /** The newest entry it rests on, and when that happened. */
  readonly seq: number;
  readonly atMs: number;
}

const MAIN_LANE = 'all';

const bucketAt = (atMs: number, windowSeconds: number): number => Math.floor(atMs / (windowSeconds * 1000));

/**
 * Counts by the time of the events, not by the time they are read: after an hour of standing still a day of failures must not look
 * like a minute of them. The window slides: the part of the window before that still reaches into this one counts in proportion.
 */
export class Tallying {
  readonly #counters: Counters;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** Counts, and says whether that makes the rule fire. `passed`: it was not to be counted. Cool-downs are not its business. */
  async count(
    rule: Rule,
    settings: WatchSettings,
    tally: Count,
    event: WatchEvent,
  ): Promise<Finding | 'counted' | 'passed'> {
    const rules: RuleSettings = settings[rule.setting];
    const window = rules.windowSeconds;
    if (tally.after && !(await this.#anyMark(rule, tally.after))) return 'passed';
    const threshold = rule.thresholdCounts ? rules.threshold : 1;
    const name = `watch:${rule.id}:${tally.lane ?? MAIN_LANE}:${tally.about.key}`;
    const added = await this.#add(name, tally, { atMs: event.atMs, window, threshold });
    if (added === undefined) return 'passed';
    const counts: Record<string, number> = { [tally.lane ?? MAIN_LANE]: added };
    for (const lane of rule.lanes ?? []) {
      counts[lane] ??= await this.#read(`watch:${rule.id}:${lane}:${tally.about.key}`, event.atMs, window);
    }
    const reached = rule.isReached?.(counts, settings) ?? added >= threshold;
    if (!reached) return 'counted';
    const { seq, atMs } = event;
    return { rule, about: tally.about, count: added, evidence: tally.evidence ?? [], seq, atMs };
  }

  async mark(rule: Rule, settings: WatchSettings, { name, seconds }: Mark): Promise<void> {
    await this.#counters.take(`watch:${rule.id}:mark:${name}`, seconds ?? settings[rule.setting].windowSeconds);
  }

  async #anyMark(rule: Rule, names: readonly string[]): Promise<boolean> {
    for (const name of names) {
      if ((await this.#counters.read(`watch:${rule.id}:mark:${name}`)) > 0) return true;
    }
    return false;
  }

  /** The count with this tally in it; undefined when its distinct value has been counted already. */
  async #add(
    name: string,
    tally: Count,
    { atMs, window, threshold }: { readonly atMs: number; readonly window: number; readonly threshold: number },
  ): Promise<number | undefined> {
    const bucket = bucketAt(atMs, window);
    // Counters end by the clock of now and buckets by that of the events: each lives until the next bucket is over.
    const seconds = window * 2;
    if (tally.distinct !== undefined) {
      const seen = `${name}:seen ${tally.distinct}`;
      if ((await this.#counters.read(`${seen}:${bucket - 1}`)) > 0) return undefined;
      if ((await this.#counters.take(`${seen}:${bucket}`, seconds)) > 1) return undefined;
    }
    // One entry may stand for very many; what goes far beyond the threshold tells nothing more.
    const weight = tally.distinct === undefined ? Math.min(tally.weight ?? 1, threshold) : 1;
    let current = 0;
    for (let taken = 0; taken < weight; taken += 1) {
      current = await this.#counters.take(`${name}:${bucket}`, seconds);
    }
    return current + (await this.#before(name, atMs, window));
  }

  async #read(name: string, atMs: number, window: number): Promise<number> {
    const current = await this.#counters.read(`${name}:${bucketAt(atMs, window)}`);
    return current + (await this.#before(name, atMs, window));
  }

  async #before(name: string, atMs: number, window: number): Promise<number> {
    const bucket = bucketAt(atMs, window);
    const past = atMs / (window * 1000) - bucket;
    return Math.ceil((await this.#counters.read(`${name}:${bucket - 1}`)) * (1 - past));
  }
}
