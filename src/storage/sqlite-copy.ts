import { backup, DatabaseSync } from 'node:sqlite';
import { unavailable } from './storage-errors.ts';

const PAGES_AT_ONCE = 4096;

/**
 * Copies a SQLite file that is in use, as it is at one moment: a read transaction holds that moment while writers go on. The copy is checked
 * page by page before this resolves. Throws `Fault('storage_unavailable')` when the copy is not sound.
 */
export async function copySqlite(
  file: string,
  to: string,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const source = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  try {
    source.exec('BEGIN');
    source.prepare('SELECT COUNT(*) FROM migrations').get();
    await backup(source, to, {
      rate: PAGES_AT_ONCE,
      progress: ({ totalPages, remainingPages }) => onProgress(totalPages - remainingPages, totalPages),
    });
    source.exec('COMMIT');
  } finally {
    source.close();
  }
  const copy = new DatabaseSync(to);
  try {
    const [verdict] = Object.values(copy.prepare('PRAGMA integrity_check').get() ?? {});
    if (verdict !== 'ok') throw unavailable(`The copy of the SQLite file is damaged: ${String(verdict)}`);
    // One file without a log beside it.
    copy.exec('PRAGMA journal_mode = DELETE');
  } finally {
    copy.close();
  }
}

/** The newest signed note of the ledger in a copy; undefined where there is none yet. */
export function newestNoteIn(file: string): string | undefined {
  const copy = new DatabaseSync(file, { readOnly: true });
  try {
    const row = copy.prepare('SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1').get();
    return row === undefined ? undefined : String(row.note);
  } finally {
    copy.close();
  }
}
