import type { Tables } from '../storage/tables.ts';
import type { GateAnswer } from './destination-gate.ts';
import type { DeliveryPayload } from './outbox-contract.ts';

export type DueRow = Pick<Tables['outbox'], 'id' | 'topic' | 'payload' | 'attempts' | 'due_at' | 'created_at'>;

/** A delivery that may start now, or that is given up now. */
export interface Candidate {
  readonly row: DueRow;
  readonly payload: DeliveryPayload;
  readonly destination: string;
}

export interface Postponement {
  readonly row: DueRow;
  readonly untilSeconds: number;
  readonly busy: boolean;
}

/** What one look at the outbox leads to. */
export interface RoundPlan {
  readonly start: readonly Candidate[];
  /** Waited for their whole time behind a destination that answers nobody: they end without another attempt. */
  readonly giveUp: readonly Candidate[];
  readonly putOff: readonly Postponement[];
}

const PUT_OFF_BUSY_SECONDS = 2;

/** Chooses what may start, in the order in which `rows` come. Pure but for asking the gate. */
export function planRound(
  rows: readonly DueRow[],
  limits: { readonly free: number; readonly nowSeconds: number; readonly giveUpSeconds: number },
  ask: (destination: string, planned: number) => GateAnswer,
): RoundPlan {
  const { free, nowSeconds, giveUpSeconds } = limits;
  const planned = new Map<string, number>();
  const start: Candidate[] = [];
  const giveUp: Candidate[] = [];
  const putOff: Postponement[] = [];
  for (const row of rows) {
    if (start.length === free) break;
    const payload = JSON.parse(row.payload) as DeliveryPayload;
    const destination = `${row.topic} ${payload.destination ?? payload.clientId ?? ''}`;
    const ahead = planned.get(destination) ?? 0;
    const answer = ask(destination, ahead);
    if (answer.open) {
      planned.set(destination, ahead + 1);
      start.push({ row, payload, destination });
      continue;
    }
    const busy = answer.closedForMs === 'busy';
    if (!busy && nowSeconds - row.created_at > giveUpSeconds) {
      giveUp.push({ row, payload, destination });
      continue;
    }
    const pauseSeconds = busy ? PUT_OFF_BUSY_SECONDS : Math.max(1, Math.ceil(Number(answer.closedForMs) / 1000));
    putOff.push({ row, untilSeconds: nowSeconds + pauseSeconds, busy });
  }
  return { start, giveUp, putOff };
}
