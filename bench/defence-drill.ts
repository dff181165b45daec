import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OUR_ENDPOINTS } from './endpoints.ts';
import type { Running } from './peers.ts';
import { freePort, ServerProcess } from './server-process.ts';

const READY_POLL_MS = 20;
const READY_DEADLINE_MS = 180_000;

/** A server of the drills that runs, and its portal. */
export type Drilled = Running & { readonly process: ServerProcess; readonly dataDir: string };

/** Starts `defence-server.ts` on a folder of its own; everything goes with `stop`. */
export async function startDrilled(
  [people, strangers, disabled]: readonly [people: number, strangers: number, disabled: number],
  settings: Readonly<Record<string, string>>,
): Promise<Drilled> {
  const folder = await mkdtemp(join(tmpdir(), 'tongban-drill-'));
  const dataDir = join(folder, 'data');
  const origin = new URL(`http://127.0.0.1:${await freePort()}`);
  const server = new ServerProcess(['bench/defence-server.ts', String(people), String(strangers), String(disabled)], {
    TONGBAN_PROFILE: 'test',
    TONGBAN_HOST: '127.0.0.1',
    TONGBAN_PORT: origin.port,
    TONGBAN_ISSUER: origin.origin,
    TONGBAN_DATA_DIR: dataDir,
    TONGBAN_HTTP_CONNECTIONS_PER_ADDRESS_MAX: '2000',
    ...settings,
  });
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  for (let waitedMs = 0; !server.stdout.includes('ready '); waitedMs += READY_POLL_MS) {
    if (!server.running || waitedMs > READY_DEADLINE_MS) {
      await stop();
      throw new Error(`the server of the drill did not start: ${server.stderr.slice(-2000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  const said = JSON.parse(server.stdout.slice(server.stdout.indexOf('ready ') + 6)) as { id: string; secret: string };
  return {
    name: 'ours',
    dataDir,
    origin,
    process: server,
    endpoints: OUR_ENDPOINTS,
    client: { ...said, redirectUri: 'https://portal.example/callback' },
    people: [],
    restart: async () => 0,
    stop,
  };
}
