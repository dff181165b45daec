import type { Migration } from '../migration.ts';

/**
 * Rows of the ledger's index for several entries of one step of the sequencer. `seqs`: the entries the row finds, ascending, the last of which is
 * at `seq` or before; `tokens`, in rows of kind `subject`: the tokens of the same person in the same step. Rows without either find the one at `seq`.
 */
export const foundInSteps: Migration = {
  id: 23,
  name: 'found-in-steps',
  statements: () => [
    'ALTER TABLE ledger_index ADD COLUMN seqs TEXT',
    'ALTER TABLE ledger_index ADD COLUMN tokens TEXT',
  ],
};
