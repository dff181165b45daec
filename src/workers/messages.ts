/** What the primary asks a worker for, on behalf of the private port. */
export type Question =
  | { readonly about: 'metrics' }
  | { readonly about: 'readiness' }
  | { readonly about: 'ledger'; readonly path: string };

/** What a worker is, told before it opens anything. */
export interface Begin {
  readonly kind: 'begin';
  /** From 1; the one that takes the place of a dead worker has its number. */
  readonly number: number;
  readonly count: number;
  /** Tells the ledger that the server starts: the first worker in its first life. */
  readonly tellsStart: boolean;
  /** Runs what there may be once only: the sample people and portals. */
  readonly showsDemo: boolean;
}

export type FromPrimary =
  | Begin
  | { readonly kind: 'place' }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  /** `tells`: this one tells the ledger that the server stops. */
  | { readonly kind: 'end'; readonly signal: string; readonly tells: boolean };

export type FromWorker =
  | { readonly kind: 'hello' }
  /** `welcome`: what whoever started the server is to read. */
  | { readonly kind: 'ready'; readonly welcome: string | undefined }
  | { readonly kind: 'place-wanted' }
  | { readonly kind: 'place-free' }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown };
