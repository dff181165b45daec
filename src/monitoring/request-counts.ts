import { Tally, type TallyReading } from '../shared/tally.ts';
import { METHODS, methodIndex, ROUTES, routeIndex } from './routes.ts';

/** Few bounds, where our promises and a person's patience lie. */
const DURATION_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] as const;
const STATUS_MIN = 100;
const STATUS_MAX = 599;
const STATUSES = 600;

export interface RequestCount {
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly count: number;
}

/** Counts answers by route, method and status, and how long they took. */
export interface RequestCounts {
  /**
   * To be called once for each answer. `route` is a name of `ROUTES`; anything else is counted as `other`, so that nothing a
   * stranger writes becomes a label. A few lookups in small tables, without an allocation.
   */
  count(route: unknown, method: unknown, status: number, durationMs: number): void;
  requests(): readonly RequestCount[];
  durations(): readonly { readonly route: string; readonly seconds: TallyReading }[];
}

export function createRequestCounts(): RequestCounts {
  /** By route, method and status in one number: bounded, because all three are. */
  const counts = new Map<number, number>();
  const durations = ROUTES.map(() => new Tally(DURATION_SECONDS));
  const used = ROUTES.map(() => false);
  return {
    count(route, method, status, durationMs) {
      const at = routeIndex(route);
      const known = status >= STATUS_MIN && status <= STATUS_MAX ? status : 0;
      const key = (at * METHODS.length + methodIndex(method)) * STATUSES + known;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      used[at] = true;
      durations[at]!.count(durationMs / 1000);
    },
    requests: () =>
      [...counts].map(([key, count]) => {
        const pair = Math.floor(key / STATUSES);
        return {
          route: ROUTES[Math.floor(pair / METHODS.length)]!,
          method: METHODS[pair % METHODS.length]!,
          status: key % STATUSES,
          count,
        };
      }),
    durations: () => ROUTES.flatMap((route, at) => (used[at] ? [{ route, seconds: durations[at]!.read() }] : [])),
  };
}
