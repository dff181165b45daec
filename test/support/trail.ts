import type { TestServer } from './server.ts';
import { until } from './waiting.ts';

/** One line of a trail as its page tells it. `report` is where "this was not me" leads, if the line has it. */
export interface ToldLine {
  readonly time: string;
  readonly what: string;
  readonly facts: readonly string[];
  readonly report: string | undefined;
}

/** The lines of a trail on any page that shows one, newest first. */
export const trailOf = (html: string): readonly ToldLine[] =>
  html
    .split('<li class="trail-line')
    .slice(1)
    .map((line) => ({
      time: /<time datetime="([^"]+)"/.exec(line)?.[1] ?? '',
      what: plain(/<p class="trail-what">([\s\S]*?)<\/p>/.exec(line)?.[1] ?? ''),
      facts: [...line.matchAll(/<p class="trail-facts">([\s\S]*?)<\/p>/g)].map(([, text = '']) => plain(text)),
      report: /href="(\/account\/not-me\?entry=\d+)"/.exec(line)?.[1],
    }));

const plain = (html: string): string => html.replaceAll(/<[^>]*>/g, '').trim();

/** Waits until everything in the ledger is signed, and so can be read. */
export async function signedToTheEnd({ house }: TestServer): Promise<void> {
  const isSigned = async (): Promise<boolean> => {
    const row = await house.database.get<{ entries: number }>('SELECT count(*) AS entries FROM ledger_entries', []);
    return (await house.ledgerReader.signedSize()) >= Number(row?.entries);
  };
  if (!(await until(isSigned))) throw new Error('the ledger was not signed in time');
}
