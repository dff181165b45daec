import { readFileSync } from 'node:fs';
import type pg from 'pg';

/**
 * Whether the buffers of a PostgreSQL on this machine lie in large pages, in a sentence. Without them each of its processes has a table of pages of 4 KiB
 * of its own, and pays for each page of the buffers it comes to for the first time (docs/engines.md).
 */
export async function sayHugePages(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ shared_memory_size_in_huge_pages: string }>(
    'SHOW shared_memory_size_in_huge_pages',
  );
  const wanted = Number(rows[0]?.shared_memory_size_in_huge_pages ?? 0);
  const { total, free, reserved } = standing();
  // What it has taken and not yet touched counts as free and reserved.
  if (wanted > 0 && total - free + reserved >= wanted) return `buffers in large pages: ${wanted} taken`;
  return `buffers in pages of 4 KiB: dearer to look at; "sysctl vm.nr_hugepages=${wanted}" before the run sets large ones aside`;
}

function standing(): { readonly total: number; readonly free: number; readonly reserved: number } {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const count = (name: string): number => Number(new RegExp(`^HugePages_${name}: +(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { total: count('Total'), free: count('Free'), reserved: count('Rsvd') };
}
