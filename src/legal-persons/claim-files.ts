import type { Sealer } from '../crypto/sealing.ts';
import { newId } from '../shared/ids.ts';
import type { Connection, Transaction } from '../storage/database.ts';
import type { JudgedFile, MediaType } from './evidence-files.ts';

/** What is known of a file without opening it. */
export interface FileEntry {
  readonly position: number;
  readonly name: string;
  readonly mediaType: MediaType;
  readonly sizeBytes: number;
}

interface FileRow {
  readonly id: string;
  readonly position: number;
  readonly name_sealed: Uint8Array;
  readonly media_type: MediaType;
  readonly size_bytes: number;
}

/** A file as it will be written: sealed before the transaction, which should not wait for megabytes of cipher. */
export interface SealedFile {
  readonly row: FileRow;
  readonly content: Uint8Array;
}

const INSERT = `INSERT INTO legal_person_claim_files
  (id, claim_id, position, name_sealed, media_type, size_bytes, content_sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)`;
const ENTRIES = `SELECT id, position, name_sealed, media_type, size_bytes FROM legal_person_claim_files
  WHERE claim_id = $1 ORDER BY position`;
const CONTENT = 'SELECT id, content_sealed FROM legal_person_claim_files WHERE claim_id = $1 AND position = $2';
const DELETE = 'DELETE FROM legal_person_claim_files WHERE claim_id = $1';

const context = (column: 'name_sealed' | 'content_sealed', id: string): string =>
  `legal_person_claim_files:${column}:${id}`;

export const sealFiles = (sealer: Sealer, files: readonly JudgedFile[]): readonly SealedFile[] =>
  files.map(({ name, content, mediaType }, position) => {
    const id = newId('evd');
    return {
      row: {
        id,
        position,
        name_sealed: sealer.seal(name, context('name_sealed', id)),
        media_type: mediaType,
        size_bytes: content.length,
      },
      content: sealer.seal(Buffer.from(content).toString('base64'), context('content_sealed', id)),
    };
  });

export async function insertFiles(tx: Transaction, claimId: string, files: readonly SealedFile[]): Promise<void> {
  for (const { row, content } of files) {
    const { id, position, name_sealed: name, media_type: type, size_bytes: size } = row;
    await tx.run(INSERT, [id, claimId, position, name, type, size, content]);
  }
}

export async function fileEntries(connection: Connection, sealer: Sealer, claimId: string): Promise<FileEntry[]> {
  const rows = await connection.all<FileRow>(ENTRIES, [claimId]);
  return rows.map(({ id, position, name_sealed: name, media_type: mediaType, size_bytes: sizeBytes }) => ({
    position,
    name: sealer.unseal(name, context('name_sealed', id)),
    mediaType,
    sizeBytes,
  }));
}

export async function fileContent(
  connection: Connection,
  sealer: Sealer,
  claimId: string,
  position: number,
): Promise<Uint8Array | undefined> {
  const row = await connection.get<{ id: string; content_sealed: Uint8Array }>(CONTENT, [claimId, position]);
  return row && Buffer.from(sealer.unseal(row.content_sealed, context('content_sealed', row.id)), 'base64');
}

/** Resolves with how many there were. */
export const deleteFiles = (tx: Transaction, claimId: string): Promise<number> => tx.run(DELETE, [claimId]);
