/** One stretch of a walk over a table: the last row it went past, undefined at the end of the table. */
export interface Stretch {
  readonly last: string | undefined;
  readonly handled: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** Goes over the rows of a table in the order of their names, a stretch at a time, and bears being done twice. */
export interface RowWalk {
  readonly name: string;
  /** Whether there is anything to be done at all. */
  needed(): boolean;
  total(): Promise<number>;
  stretch(after: string, rowsMax: number): Promise<Stretch>;
}
