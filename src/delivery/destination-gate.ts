import { monotonicMs } from '../shared/clock.ts';

/** Why a delivery cannot start now: `busy` until one to the same destination ends, or closed for that many milliseconds. */
export type GateAnswer = { readonly open: true } | { readonly open: false; readonly closedForMs: number | 'busy' };

interface Destination {
  inFlight: number;
  failuresInARow: number;
  closedUntilMs: number;
}

const FAILURES_TO_CLOSE = 3;
const CLOSED_FIRST_MS = 5_000;
const CLOSED_MAX_MS = 300_000;
const DESTINATIONS_MAX = 10_000;

/**
 * Keeps one dead or slow destination from taking every place: at most `inFlightMax` deliveries at a time to each, none for a while
 * after three failures in a row, then a single one to try. Belongs to one worker; after a restart it learns anew.
 */
export class DestinationGate {
  readonly #inFlightMax: number;
  readonly #destinations = new Map<string, Destination>();

  constructor(inFlightMax: number) {
    this.#inFlightMax = inFlightMax;
  }

  /** Whether a delivery may start; `planned` deliveries are about to start and count as in flight. */
  ask(name: string, planned: number): GateAnswer {
    const destination = this.#destinations.get(name);
    const inFlight = (destination?.inFlight ?? 0) + planned;
    if (destination === undefined || destination.failuresInARow < FAILURES_TO_CLOSE) {
      return inFlight < this.#inFlightMax ? { open: true } : { open: false, closedForMs: 'busy' };
    }
    const closedForMs = destination.closedUntilMs - monotonicMs();
    if (closedForMs > 0) return { open: false, closedForMs };
    return inFlight === 0 ? { open: true } : { open: false, closedForMs: 'busy' };
  }

  begin(name: string): void {
    const destination = this.#destinations.get(name) ?? { inFlight: 0, failuresInARow: 0, closedUntilMs: 0 };
    destination.inFlight += 1;
    this.#destinations.set(name, destination);
  }

  end(name: string, succeeded: boolean): void {
    const destination = this.#destinations.get(name);
    if (destination === undefined) return;
    destination.inFlight -= 1;
    if (succeeded) {
      destination.failuresInARow = 0;
      if (destination.inFlight === 0) this.#destinations.delete(name);
      return;
    }
    destination.failuresInARow += 1;
    const doublings = destination.failuresInARow - FAILURES_TO_CLOSE;
    if (doublings >= 0)
      destination.closedUntilMs = monotonicMs() + Math.min(CLOSED_MAX_MS, CLOSED_FIRST_MS * 2 ** doublings);
    if (this.#destinations.size > DESTINATIONS_MAX) this.#forgetOldest();
  }

  #forgetOldest(): void {
    for (const [name, destination] of this.#destinations) {
      if (destination.inFlight > 0) continue;
      this.#destinations.delete(name);
      return;
    }
  }
}
