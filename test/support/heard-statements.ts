import pg from 'pg';

/** A statement as it went to PostgreSQL, with the values it last had. */
export interface Heard {
  readonly text: string;
  readonly values: readonly unknown[];
}

/**
 * Listens to everything this process says to PostgreSQL from now on, whichever connection it takes. `heard` gives each text once, `messages` what was
 * said together; ends with `stop`.
 */
export function listenToPostgres(): {
  heard(): readonly Heard[];
  messages(): readonly (readonly string[])[];
  stop(): void;
} {
  const said = new Map<string, Heard>();
  const messages: string[][] = [];
  const speak = pg.Client.prototype.query;
  pg.Client.prototype.query = function listening(this: pg.Client, ...args: readonly unknown[]) {
    const [query] = args as [string | Partial<Heard> | { readonly statements: readonly Heard[] }];
    // Most is said several statements at a time (src/storage/postgres-batch.ts).
    const together = typeof query === 'string' ? [{ text: query }] : 'statements' in query ? query.statements : [query];
    messages.push(together.map(({ text = '' }) => text));
    for (const { text, values = [] } of together as readonly Partial<Heard>[]) {
      if (text !== undefined) said.set(text, { text, values });
    }
    return Reflect.apply(speak, this, args) as never;
  } as typeof speak;
  return {
    heard: () => [...said.values()],
    messages: () => messages,
    stop: () => {
      pg.Client.prototype.query = speak;
    },
  };
}
