import type { Config } from '../../config/schema.ts';
import type { Place } from '../../defence/regions.ts';
import type { LedgerEntry } from '../../ledger/entry.ts';
import type { Severity } from '../../ledger/event-kind.ts';

/** Levels of GB/T 20986-2023: I 特别重大, II 重大, III 较大, IV 一般. */
export type Level = 'I' | 'II' | 'III' | 'IV';

export type WatchSettings = Config['watch'];

/** The name of a rule in the configuration; its id is the same in lower case with dashes. */
export type RuleSetting = {
  readonly [Key in keyof WatchSettings]: WatchSettings[Key] extends { readonly threshold: number } ? Key : never;
}[keyof WatchSettings];

export type RuleSettings = WatchSettings[RuleSetting];
export type Response = RuleSettings['response'];

/** A text in both languages. */
export interface Bilingual {
  readonly zh: string;
  readonly en: string;
}

/** An event as rules see it. `address` is there only for rules that need it, and only while it can still be opened. */
export interface WatchEvent {
  readonly seq: number;
  readonly atMs: number;
  readonly entry: LedgerEntry;
  readonly address: string | undefined;
}

/** An earlier sign-in of the same person. */
export interface EarlierSignIn {
  readonly seq: number;
  readonly atMs: number;
  readonly place: Place;
}

/** What a rule may know beside the event. Everything is already there: rules ask nobody. */
export interface Facts {
  readonly settings: WatchSettings;
  /** True within office hours, and when there are none. */
  readonly isOfficeTime: (atMs: number) => boolean;
  /** True inside the office networks, and when there are none. */
  readonly isOfficeNetwork: (address: string) => boolean;
  /** Where the event's address is; only for rules that need it. */
  readonly place?: Place | undefined;
  readonly earlier?: EarlierSignIn | undefined;
}

/** Whom or what a finding is about. `key` separates counts, cool-downs and incidents; the others are for response and ledger. */
export interface About {
  readonly key: string;
  readonly person?: string | undefined;
  readonly client?: string | undefined;
  readonly network?: string | undefined;
}

/**
 * What a rule makes of one event.
 * `count` adds to the count of `about`, `weight` at once (1 when left out); with `distinct`, each value adds one only. With `lane`
 * it counts apart, for rules that compare. With `after` it counts only while one of these marks stands.
 * `mark` leaves a mark for `seconds`, the rule's window when left out. `expect` fires when no `settle` of the same key follows within the window.
 */
export type Tally =
  | {
      readonly do: 'count';
      readonly about: About;
      readonly weight?: number;
      readonly distinct?: string;
      readonly lane?: string;
      readonly after?: readonly string[];
      /** Earlier entries that belong to the evidence. */
      readonly evidence?: readonly number[];
    }
  | { readonly do: 'mark'; readonly name: string; readonly seconds?: number }
  | { readonly do: 'expect'; readonly about: About }
  | { readonly do: 'settle'; readonly key: string };

/**
 * One detection: a pure function over events, and what is said when it fires. It holds no state; what has been counted lies in
 * `Counters`, and what is waited for in the cursor of the watch.
 */
export interface Rule {
  readonly id: string;
  readonly setting: RuleSetting;
  readonly title: Bilingual;
  /** What to do when it fires. */
  readonly advice: Bilingual;
  readonly severity: Severity;
  /** The level proposed for its incidents; the number of people affected may raise it, a human may change it. */
  readonly level: Level;
  readonly cooldownSeconds: number;
  readonly evidenceMax: number;
  /** Types of events, or the beginnings of types with the dot at the end. */
  readonly looksAt: readonly string[];
  /** Types of which most entries say nothing to the rule, each with texts of which at least one stands in those that do. */
  readonly onlyWith: Readonly<Record<string, readonly string[]>>;
  readonly needs: readonly ('address' | 'earlier-sign-in')[];
  /** The lanes `isReached` compares; without it the count alone decides. */
  readonly lanes?: readonly string[];
  /** False only for rules whose threshold is no count: then the first finding fires. */
  readonly thresholdCounts: boolean;
  /** True when what is counted are people whose data were seen. */
  readonly countsPeople: boolean;
  readonly isReached?: (counts: Readonly<Record<string, number>>, settings: WatchSettings) => boolean;
  readonly examine: (event: WatchEvent, facts: Facts) => readonly Tally[];
}

const DEFAULTS = {
  severity: 'alert',
  level: 'IV',
  cooldownSeconds: 3600,
  evidenceMax: 20,
  needs: [],
  onlyWith: {},
  thresholdCounts: true,
  countsPeople: false,
} as const satisfies Partial<Rule>;

type Defaulted = keyof typeof DEFAULTS;

/** A rule with the usual severity, level and limits where it does not say otherwise. */
export const defineRule = (rule: Omit<Rule, Defaulted | 'id'> & Partial<Pick<Rule, Defaulted>>): Rule => ({
  ...DEFAULTS,
  id: rule.setting.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
  ...rule,
});

/** A text of `data`, if it is one. */
export const textOf = ({ data }: LedgerEntry, name: string): string | undefined => {
  const value = data[name];
  return typeof value === 'string' ? value : undefined;
};

/** A number of `data`, if it is one. */
export const numberOf = ({ data }: LedgerEntry, name: string): number | undefined => {
  const value = data[name];
  return typeof value === 'number' ? value : undefined;
};

/** The words of `data`, whether they stand in a list or in one text with blanks between. */
export const wordsOf = ({ data }: LedgerEntry, name: string): readonly string[] => {
  const value = data[name];
  return Array.isArray(value) ? value : typeof value === 'string' ? value.split(' ') : [];
};

/** How many events an entry stands for: repeated failures are written as one with their number (L12). */
export const weightOf = (entry: LedgerEntry): number => Math.max(1, numberOf(entry, 'repeated') ?? 1);
