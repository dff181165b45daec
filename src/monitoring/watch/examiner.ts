import type { EntryText } from '../../ledger/reader.ts';
import type { Counters } from '../../storage/counters.ts';
import { EventReading, type ReadingSources } from './event-reading.ts';
import { EvidenceMemory } from './evidence.ts';
import type { About, Rule, Tally, WatchEvent } from './rule.ts';
import type { Standing } from './standing.ts';
import { type Count, type Finding, Tallying } from './tallying.ts';
import type { Awaited } from './watch-cursor.ts';

/** What one entry leads to: alerts to write, and what is waited for from now on. */
export interface Examination {
  readonly findings: readonly Finding[];
  readonly awaited: readonly Awaited[];
}

export interface ExaminerSources extends ReadingSources {
  readonly counters: Counters;
  readonly standing: Standing;
  /** The counters live in this process alone: what another one has counted is counted again from the ledger when this one takes over. */
  readonly countersAreOurs?: boolean | undefined;
}

const AWAITED_MAX = 1000;

/** Of the lanes a rule compares only the first is what it looks for. */
const isEvidence = ({ lanes }: Rule, { lane }: Count): boolean => lanes === undefined || lane === lanes[0];

const isSame =
  (ruleId: string, key: string) =>
  ({ rule, about }: Awaited): boolean =>
    rule === ruleId && about.key === key;

/** Runs the rules over entries, one after the other in their order. Writes nothing but counters. */
export class Examiner {
  readonly #sources: ExaminerSources;
  readonly #reading: EventReading;
  readonly #tallying: Tallying;
  readonly #evidence = new EvidenceMemory();
  /** The newest entry our counters have seen. */
  #countedSeq = -1;

  constructor(sources: ExaminerSources) {
    this.#sources = sources;
    this.#reading = new EventReading(sources);
    this.#tallying = new Tallying(sources.counters);
  }

  /** True for an entry that no rule looks at, as most are: then it counts as examined. */
  passesOver(stored: EntryText): boolean {
    if (this.#reading.rulesFor(stored).length > 0) return false;
    this.#countedSeq = stored.seq;
    return true;
  }

  async examine(stored: EntryText, awaited: readonly Awaited[]): Promise<Examination> {
    const examined = await this.#reading.examine(stored);
    this.#countedSeq = stored.seq;
    if (examined === undefined) return { findings: [], awaited };
    const { event, rules, facts } = examined;
    const findings: Finding[] = [];
    let waiting = awaited;
    for (const rule of rules) {
      for (const tally of rule.examine(event, facts)) {
        if (tally.do === 'mark') await this.#mark(rule, tally, event);
        else if (tally.do === 'settle') waiting = waiting.filter((one) => !isSame(rule.id, tally.key)(one));
        else if (tally.do === 'expect') waiting = this.#expect(rule, tally.about, event, waiting);
        else {
          const finding = await this.#count(rule, tally, event);
          if (finding !== undefined) findings.push(finding);
        }
      }
    }
    return { findings, awaited: waiting };
  }

  /**
   * For entries that were looked at before a restart, or by another node: remembers the evidence nothing was alerted for yet, and
   * counts again where the counts were lost. Nothing fires: what had to be alerted was.
   */
  async recall(stored: EntryText): Promise<void> {
    const isLost = this.#sources.countersAreOurs === true && stored.seq > this.#countedSeq;
    if (isLost) this.#countedSeq = stored.seq;
    const examined = await this.#reading.examine(stored);
    if (examined === undefined) return;
    const { event, rules, facts } = examined;
    for (const rule of rules) {
      for (const tally of rule.examine(event, facts)) {
        if (tally.do === 'mark') this.#evidence.remember(rule.id, tally.name, stored.seq, 1);
        if (isLost) await this.#recount(rule, tally, event);
        if (tally.do !== 'count' || tally.after !== undefined || !isEvidence(rule, tally)) continue;
        const { key } = tally.about;
        if (this.#sources.standing.alertedSeq(rule.id, key) >= stored.seq) continue;
        this.#evidence.remember(rule.id, key, stored.seq, rule.evidenceMax);
      }
    }
  }

  /** What was waited for in vain until `nowMs`, and what is still waited for. */
  overdue(awaited: readonly Awaited[], nowMs: number): Examination {
    const { rules, standing } = this.#sources;
    const findings = awaited.flatMap(({ rule: id, about, seq, dueMs }): readonly Finding[] => {
      const rule = rules.find((known) => known.id === id);
      if (rule === undefined || dueMs > nowMs) return [];
      if (standing.isCooling(id, about.key, dueMs, rule.cooldownSeconds)) return [];
      return [{ rule, about, count: 1, evidence: [seq], seq, atMs: dueMs }];
    });
    return { findings, awaited: awaited.filter(({ dueMs }) => dueMs > nowMs) };
  }

  /** What was alerted is no evidence for the next alert. */
  forget({ rule, about }: Finding): void {
    this.#evidence.forget(rule.id, about.key);
  }

  async #mark(rule: Rule, tally: Extract<Tally, { readonly do: 'mark' }>, { seq }: WatchEvent): Promise<void> {
    this.#evidence.remember(rule.id, tally.name, seq, 1);
    await this.#tallying.mark(rule, this.#sources.settings, tally);
  }

  async #recount(rule: Rule, tally: Tally, event: WatchEvent): Promise<void> {
    const { settings } = this.#sources;
    if (tally.do === 'mark') await this.#tallying.mark(rule, settings, tally);
    if (tally.do === 'count') await this.#tallying.count(rule, settings, tally, event);
  }

  #expect(rule: Rule, about: About, { seq, atMs }: WatchEvent, awaited: readonly Awaited[]): readonly Awaited[] {
    if (awaited.some(isSame(rule.id, about.key)) || awaited.length >= AWAITED_MAX) return awaited;
    const dueMs = atMs + this.#sources.settings[rule.setting].windowSeconds * 1000;
    return [...awaited, { rule: rule.id, about, seq, dueMs }];
  }

  async #count(rule: Rule, tally: Count, event: WatchEvent): Promise<Finding | undefined> {
    const outcome = await this.#tallying.count(rule, this.#sources.settings, tally, event);
    if (outcome === 'passed') return undefined;
    const { key } = tally.about;
    if (isEvidence(rule, tally)) this.#evidence.remember(rule.id, key, event.seq, rule.evidenceMax);
    if (outcome === 'counted' || this.#sources.standing.isCooling(rule.id, key, event.atMs, rule.cooldownSeconds)) {
      return undefined;
    }
    const marked = (tally.after ?? []).flatMap((name) => this.#evidence.of(rule.id, name));
    const all = [...outcome.evidence, ...marked, ...this.#evidence.of(rule.id, key)];
    const evidence = [...new Set(all)].sort((left, right) => left - right).slice(-rule.evidenceMax);
    return { ...outcome, evidence };
  }
}
