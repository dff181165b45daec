/** Turns of the event loop in which those who come join those who wait. More bring hardly more company; under load each is some milliseconds of work for others. */
const TURNS = 6;

/**
 * How long what is asked of a store is held back so that others may join it: to commit, or to send, costs as much for many as for one. Whoever had company lately
 * is likely to have it again and waits for some turns of the event loop, in which all others go on; whoever was alone goes at the end of this one. It is turns
 * and not milliseconds, because they are as long as there is something to do: a loop that is idle runs through them in microseconds.
 */
export class Gathering {
  #turns = 1;

  /** Calls `go` when it is time. */
  hold(go: () => void): void {
    afterTurns(this.#turns, go);
  }

  /** To be told of how many went together. */
  went(count: number): void {
    this.#turns = count > 1 ? TURNS : 1;
  }
}

function afterTurns(turns: number, go: () => void): void {
  if (turns === 1) setImmediate(go);
  else setImmediate(afterTurns, turns - 1, go);
}
