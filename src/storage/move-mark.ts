/**
 * Stands in the journal of migrations of a store that is being filled by a move. Every start reads the journal, that of older versions as well,
 * and refuses a step it does not know: half a store is served by nobody.
 */
export const MOVE_UNDER_WAY = { id: 1_000_000, name: 'move-under-way' } as const;
