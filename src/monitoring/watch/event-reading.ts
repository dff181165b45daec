import { officeOf } from '../../defence/office.ts';
import type { RegionTable } from '../../defence/regions.ts';
import { isCommitment, parseEntry } from '../../ledger/entry.ts';
import type { EntryText, LedgerReader } from '../../ledger/reader.ts';
import type { EarlierSignIn, Facts, Rule, WatchEvent, WatchSettings } from './rule.ts';
import { rulesByType } from './rules.ts';

/** An event with the rules that look at it and what they may know. */
export interface Examined {
  readonly event: WatchEvent;
  readonly rules: readonly Rule[];
  readonly facts: Facts;
}

const SIGN_IN = 'sign-in.succeeded';
const EARLIER_ENTRIES_MAX = 64;
const TYPE = '"type":"';

/**
 * The type of an entry without reading all of it. In the canonical form only `ua` and `v` follow the type, and no text can hold an
 * unescaped quotation mark, so the last occurrence is the member.
 */
function typeOf(text: string): string {
  const from = text.lastIndexOf(TYPE) + TYPE.length;
  return text.slice(from, text.indexOf('"', from));
}

export interface ReadingSources {
  readonly reader: LedgerReader;
  readonly rules: readonly Rule[];
  readonly settings: WatchSettings;
  readonly regions: RegionTable | undefined;
}

const hasOneOf = (texts: readonly string[] | undefined, text: string): boolean =>
  texts === undefined || texts.some((one) => text.includes(one));

/** Makes events of stored entries: parses, opens and looks up only what some rule needs. */
export class EventReading {
  readonly #sources: ReadingSources;
  readonly #rulesFor: (type: string) => readonly Rule[];
  readonly #facts: Facts;

  constructor(sources: ReadingSources) {
    this.#sources = sources;
    this.#rulesFor = rulesByType(sources.rules);
    this.#facts = { settings: sources.settings, ...officeOf(sources.settings) };
  }

  /** The rules an entry may mean something to, as far as that is seen without reading all of it. */
  rulesFor({ entry }: EntryText): readonly Rule[] {
    const type = typeOf(entry);
    const looking = this.#rulesFor(type);
    const isMeant = ({ onlyWith }: Rule): boolean => hasOneOf(onlyWith[type], entry);
    return looking.every(isMeant) ? looking : looking.filter(isMeant);
  }

  /** Undefined when no rule looks at it, and for what is no entry of ours: to judge that is the business of the verifier. */
  async examine(stored: EntryText): Promise<Examined | undefined> {
    const rules = this.rulesFor(stored);
    const entry = rules.length === 0 ? undefined : parseEntry(stored.entry);
    if (entry === undefined) return undefined;
    const needs = (what: Rule['needs'][number]): boolean => rules.some((rule) => rule.needs.includes(what));
    const address = entry.ip !== null && needs('address') ? await this.#addressOf(entry.ip, stored) : undefined;
    const event: WatchEvent = { seq: stored.seq, atMs: Date.parse(entry.ts), entry, address };
    const place = address === undefined ? undefined : this.#sources.regions?.find(address);
    if (place === undefined || !needs('earlier-sign-in')) return { event, rules, facts: this.#facts };
    const earlier = await this.#earlierSignIn(event);
    return { event, rules, facts: { ...this.#facts, place, earlier } };
  }

  async #addressOf(ip: string, { seq }: EntryText): Promise<string | undefined> {
    if (!isCommitment(ip)) return ip;
    const stored = await this.#sources.reader.entryAt(seq);
    return stored && (await this.#sources.reader.open(stored)).ip;
  }

  /** The ledger itself remembers where a person was before. */
  async #earlierSignIn({ seq, atMs, entry }: WatchEvent): Promise<EarlierSignIn | undefined> {
    const { reader, regions, settings } = this.#sources;
    if (entry.subject === null) return undefined;
    const oldestMs = atMs - settings.impossibleTravel.windowSeconds * 1000;
    for (const stored of await reader.subjectEntries(entry.subject, seq, EARLIER_ENTRIES_MAX, 'without_tokens')) {
      if (typeOf(stored.entry) !== SIGN_IN) continue;
      const before = parseEntry(stored.entry);
      if (before === undefined || before.ip === null) continue;
      if (Date.parse(before.ts) < oldestMs) return undefined;
      const address = await this.#addressOf(before.ip, stored);
      const place = address === undefined ? undefined : regions?.find(address);
      if (place !== undefined) return { seq: stored.seq, atMs: Date.parse(before.ts), place };
    }
    return undefined;
  }
}
