import type { Logger } from 'pino';
import type { RegionTable } from '../../defence/regions.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { LedgerReader } from '../../ledger/reader.ts';
import { monotonicMs, nowMs } from '../../shared/clock.ts';
import type { Counters } from '../../storage/counters.ts';
import type { Database, Transaction } from '../../storage/database.ts';
import { Examiner } from './examiner.ts';
import { type Alert, type Incident, WATCH } from './incident.ts';
import { createIncidents, type Incidents } from './incidents.ts';
import { owedFor, putOff, type Responses, respond } from './responses.ts';
import type { Rule, WatchSettings } from './rule.ts';
import { findRule, RULES } from './rules.ts';
import { COLLECTIVE_KEY, Standing } from './standing.ts';
import type { Finding } from './tallying.ts';
import { LeaseLost, type OwedResponse, WatchCursor, type WatchPlace } from './watch-cursor.ts';

export interface WatchSources {
  readonly reader: LedgerReader;
  readonly database: Database;
  readonly ledger: Ledger;
  /** For the watch alone: a flood of names here must not shorten the windows of the limits. */
  readonly counters: Counters;
  /** True for counters that end with this process: what they held is then counted again from the ledger. */
  readonly countersAreOurs?: boolean;
  readonly settings: WatchSettings;
  readonly responses: Responses;
  readonly log: Pick<Logger, 'info' | 'error'>;
  /** From `loadRegions`; without it nobody travels. */
  readonly regions?: RegionTable | undefined;
  readonly pollMs?: number;
}

export interface Watch {
  /** Ends after the entry under way and lets another node take over at once. */
  stop(): Promise<void>;
  /** Alerts by rule since the start of this process. */
  counts(): Readonly<Record<string, number>>;
}

const POLL_MS = 500;
const PAGE_ENTRIES = 256;
/** After this much work in one piece others have their turn. */
const WORK_MS_MAX = 2;
const UPKEEP_MS = 30_000;
/** With so many responses undone the watch reads no further. */
const OWED_MAX = 1000;
/** Read again after a restart, so that alerts count and name the entries from before it. */
const WARM_UP_ENTRIES = 2048;

/**
 * Follows the ledger and looks for what should not happen (X11). Of several nodes one watches. An alert, its incident and the place
 * in the ledger are one transaction; the response follows, at least once. Nobody waits for the watch.
 */
export function startWatch(sources: WatchSources): Watch {
  const watcher = new Watcher(sources);
  watcher.start();
  return { stop: () => watcher.stop(), counts: () => watcher.counts() };
}

class Watcher {
  readonly #sources: WatchSources;
  readonly #incidents: Incidents;
  readonly #cursor: WatchCursor;
  readonly #examiner: Examiner;
  readonly #standing = new Standing();
  readonly #alerts: Record<string, number> = Object.fromEntries(RULES.map(({ id }) => [id, 0]));
  #place: WatchPlace = { nextSeq: 0, awaited: [], owed: [] };
  /** Found and not yet written, because the store failed meanwhile. */
  #findings: readonly Finding[] = [];
  /** The lease is held and what stands from before has been read. */
  #isReady = false;
  #upkeepAtMs = 0;
  #turnStartedMs = 0;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #step: Promise<void> = Promise.resolve();

  constructor(sources: WatchSources) {
    const { database, ledger, settings, regions } = sources;
    this.#sources = sources;
    this.#incidents = createIncidents({ database, ledger, operatorClass: settings.operatorClass });
    this.#cursor = new WatchCursor(database);
    const isOn = ({ setting }: Rule): boolean =>
      settings[setting].enabled && (setting !== 'impossibleTravel' || regions !== undefined);
    const rules = RULES.filter(isOn);
    this.#examiner = new Examiner({ ...sources, rules, regions, standing: this.#standing });
  }

  start(): void {
    this.#step = this.#run();
  }

  counts(): Readonly<Record<string, number>> {
    return { ...this.#alerts };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#step;
    try {
      // The place is beyond what these rest on: without them it must not be let go of.
      if (this.#isReady && this.#cursor.isHeld) await this.#write(this.#findings);
      await this.#cursor.release(this.#place);
    } catch (error) {
      this.#tell(error);
    }
  }

  async #run(): Promise<void> {
    let more = false;
    try {
      more = await this.#page();
    } catch (error) {
      this.#tell(error);
    }
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.start(), more ? 0 : (this.#sources.pollMs ?? POLL_MS));
    this.#timer.unref();
  }

  #tell(error: unknown): void {
    if (error instanceof LeaseLost) this.#sources.log.info('another node watches now');
    else this.#sources.log.error({ err: error }, 'the watch could not go on; it tries again');
  }

  /** One page. True when there is more to read. */
  async #page(): Promise<boolean> {
    this.#turnStartedMs = monotonicMs();
    if (!(this.#isReady && this.#cursor.isHeld) && !(await this.#takeOver())) return false;
    await this.#write(this.#findings);
    // Further away than it can be when the clock was set back: alarms must not wait for it (X8).
    const upkeepInMs = this.#upkeepAtMs - nowMs();
    if (upkeepInMs <= 0 || upkeepInMs > UPKEEP_MS) await this.#upkeep();
    await this.#respond();
    if (this.#place.owed.length >= OWED_MAX) return false;
    const entries = await this.#sources.reader.readTexts(this.#place.nextSeq, PAGE_ENTRIES);
    for (const stored of entries) {
      if (this.#stopped) break;
      if (this.#examiner.passesOver(stored)) {
        this.#place = { ...this.#place, nextSeq: stored.seq + 1 };
        continue;
      }
      const { findings, awaited } = await this.#examiner.examine(stored, this.#place.awaited);
      this.#place = { ...this.#place, awaited, nextSeq: stored.seq + 1 };
      await this.#write(findings);
      await this.#giveWay();
    }
    const more = entries.length === PAGE_ENTRIES;
    // Only with everything read can something be said to be missing.
    if (!more) {
      const { findings, awaited } = this.#examiner.overdue(this.#place.awaited, nowMs());
      this.#place = { ...this.#place, awaited };
      await this.#write(findings);
    }
    if (entries.length > 0 || this.#cursor.isDueForRenewal) await this.#save();
    await this.#respond();
    return more;
  }

  async #takeOver(): Promise<boolean> {
    this.#isReady = false;
    const place = await this.#cursor.take();
    if (place === undefined) return false;
    this.#place = place;
    this.#findings = [];
    this.#standing.load(await this.#incidents.standing());
    let from = Math.max(0, place.nextSeq - WARM_UP_ENTRIES);
    while (from < place.nextSeq && !this.#stopped) {
      const entries = await this.#sources.reader.readTexts(from, Math.min(PAGE_ENTRIES, place.nextSeq - from));
      for (const stored of entries) {
        if (stored.seq < place.nextSeq) await this.#examiner.recall(stored);
        await this.#giveWay();
      }
      from = (entries.at(-1)?.seq ?? place.nextSeq) + 1;
    }
    this.#isReady = true;
    return true;
  }

  /** Alerts, incidents and the place, in one transaction. What cannot be written is tried again before anything else is read. */
  async #write(findings: readonly Finding[]): Promise<void> {
    if (findings.length === 0) return;
    this.#findings = findings;
    const written = await this.#sources.database.write(async (tx) => {
      const incidents: Incident[] = [];
      const owed: OwedResponse[] = [...this.#place.owed];
      for (const finding of findings) {
        const { incident, response } = await this.#alert(tx, finding);
        incidents.push(incident);
        if (response !== undefined) owed.push(response);
      }
      const place: WatchPlace = { ...this.#place, owed };
      return { incidents, place, confirm: await this.#cursor.save(tx, place) };
    });
    written.confirm();
    this.#place = written.place;
    this.#findings = [];
    for (const [at, finding] of findings.entries()) {
      const { rule, about } = finding;
      const incident = written.incidents[at]!;
      this.#alerts[rule.id] = (this.#alerts[rule.id] ?? 0) + 1;
      this.#standing.remember(rule.id, about.key, incident);
      if (incident.record.about.key === COLLECTIVE_KEY) this.#standing.remember(rule.id, COLLECTIVE_KEY, incident);
      this.#examiner.forget(finding);
    }
  }

  async #alert(tx: Transaction, finding: Finding): Promise<{ incident: Incident; response: OwedResponse | undefined }> {
    const { rule, about, count, evidence, seq, atMs } = finding;
    const { ledger, settings } = this.#sources;
    const { id, isCollective } = this.#standing.placeFor(rule.id, about.key);
    const affectedCount = rule.countsPeople ? count : about.person === undefined ? 0 : 1;
    const subject = isCollective ? { key: COLLECTIVE_KEY } : about;
    const alert: Alert = { about: subject, evidence, count, affectedCount, seq, atMs, level: rule.level };
    const incident = await this.#incidents.alert(tx, rule, alert, id, isCollective);
    const response = owedFor(rule, settings[rule.setting], about, incident);
    await ledger.append(tx, {
      type: 'watch.alerted',
      actor: 'system',
      personId: about.person,
      clientId: about.client,
      details: {
        rule: rule.id,
        severity: rule.severity,
        evidence: evidence.map(String),
        count,
        incident: incident.id,
        response: response?.kind ?? 'alert',
      },
    });
    return { incident, response };
  }

  /** What is owed is done, and only then no longer owed: after a crash in between it is done again. */
  async #respond(): Promise<void> {
    const due = this.#place.owed.filter(({ dueMs }) => dueMs <= nowMs());
    for (const owed of due) {
      if (this.#stopped) return;
      const title = findRule(owed.rule)?.title ?? { zh: owed.rule, en: owed.rule };
      let left: OwedResponse | undefined;
      try {
        await respond(this.#sources.responses, owed, title);
      } catch (error) {
        this.#sources.log.error({ err: error, incident: owed.incident, response: owed.kind }, 'a response failed');
        left = putOff(owed);
        if (left === undefined) {
          await this.#incidents.change(owed.incident, { change: 'response', text: `${owed.kind} failed` }, WATCH);
        }
      }
      const owedNow = this.#place.owed.flatMap((one) => (one.id === owed.id ? (left ?? []) : [one]));
      this.#place = { ...this.#place, owed: owedNow };
      await this.#save();
    }
  }

  async #save(): Promise<void> {
    const confirm = await this.#sources.database.write((tx) => this.#cursor.save(tx, this.#place));
    confirm();
  }

  async #upkeep(): Promise<void> {
    await this.#incidents.remind();
    this.#standing.keepOpen(await this.#incidents.openIds());
    this.#upkeepAtMs = nowMs() + UPKEEP_MS;
  }

  async #giveWay(): Promise<void> {
    if (monotonicMs() - this.#turnStartedMs < WORK_MS_MAX) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#turnStartedMs = monotonicMs();
  }
}
