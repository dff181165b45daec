import type { Database } from './database.ts';

/** One step of the schema. A step that has run anywhere is never edited; the next step corrects it. */
export interface Migration {
  readonly id: number;
  readonly name: string;
  readonly statements: (engine: Database['engine']) => readonly string[];
}
