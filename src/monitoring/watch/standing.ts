import { BoundedMap } from '../../shared/bounded-map.ts';
import type { Incident } from './incident.ts';

interface Known {
  readonly incident: string;
  readonly open: boolean;
  readonly alertedSeq: number;
  readonly alertedAtMs: number;
}

/** Under this key a rule collects what no longer gets an incident of its own. */
export const COLLECTIVE_KEY = '*';
/** Open incidents a rule may have; a human cannot work on more, and an attack on ten thousand accounts is one incident. */
const OPEN_PER_RULE_MAX = 100;
const KEYS_MAX = 20_000;

/**
 * Which incident stands for a rule and a key, and when it was last alerted. It is derived from the incidents themselves, so a
 * restart forgets no cool-down.
 */
export class Standing {
  readonly #known = new BoundedMap<string, Known>(KEYS_MAX);

  /** From the oldest on, so that the newest of a key stays. */
  load(incidents: readonly Incident[]): void {
    this.#known.clear();
    for (const incident of incidents) this.remember(incident.rule, incident.record.about.key, incident);
  }

  remember(ruleId: string, key: string, { id, status, record }: Incident): void {
    const name = `${ruleId} ${key}`;
    const { alertedSeq, alertedAtMs } = record;
    const known = { incident: id, open: status === 'open', alertedSeq, alertedAtMs };
    this.#known.delete(name);
    this.#known.set(name, known);
  }

  /** Takes note of which are still open; operators handle them in other processes. */
  keepOpen(ids: ReadonlySet<string>): void {
    for (const [name, known] of this.#known) {
      if (known.open && !ids.has(known.incident)) this.#known.set(name, { ...known, open: false });
    }
  }

  isCooling(ruleId: string, key: string, atMs: number, cooldownSeconds: number): boolean {
    const known = this.#known.get(`${ruleId} ${key}`);
    return known !== undefined && atMs < known.alertedAtMs + cooldownSeconds * 1000;
  }

  /** Up to which entry everything about this key has been alerted. */
  alertedSeq(ruleId: string, key: string): number {
    const known = this.#known.get(`${ruleId} ${key}`) ?? this.#known.get(`${ruleId} ${COLLECTIVE_KEY}`);
    return known?.alertedSeq ?? -1;
  }

  /** The incident an alert belongs to, and whether it is the collective one of the rule. */
  placeFor(ruleId: string, key: string): { readonly id: string | undefined; readonly isCollective: boolean } {
    const collective = this.#known.get(`${ruleId} ${COLLECTIVE_KEY}`);
    const own = this.#known.get(`${ruleId} ${key}`);
    if (own?.open) return { id: own.incident, isCollective: own.incident === collective?.incident };
    if (this.#openCount(ruleId) < OPEN_PER_RULE_MAX) return { id: undefined, isCollective: false };
    return { id: collective?.open ? collective.incident : undefined, isCollective: true };
  }

  #openCount(ruleId: string): number {
    const ids = new Set<string>();
    for (const [name, { open, incident }] of this.#known) {
      if (open && name.startsWith(`${ruleId} `)) ids.add(incident);
    }
    return ids.size;
  }
}
