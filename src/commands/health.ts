export const USAGE = `Usage: tongban health [URL]
  asks URL, or what the settings name on this machine, whether it is ready; for health checks: exit code 0 for yes, 1 for no
`;

/** Who checks the health of a container gives up after three seconds. */
const DEADLINE_MS = 2500;
/** Addresses that mean "each of this machine" to who listens, and nothing to who calls. */
const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::', '']);

/** `tongban health [URL]`. Resolves with the exit code: 0 ready, 1 not ready or no answer, 2 not understood. Opens no store and reads no secret. */
export async function run(args: readonly string[]): Promise<0 | 1 | 2> {
  if (args.length > 1 || args[0]?.startsWith('-')) {
    process.stderr.write(USAGE);
    return 2;
  }
  const address = args[0] === undefined ? await ownAddress() : readAddress(args[0]);
  if (typeof address === 'string') {
    process.stderr.write(`${address}\n`);
    return 2;
  }
  const answer = await ask(address);
  if (answer === 'ready') {
    process.stdout.write(`${address.href} is ready.\n`);
    return 0;
  }
  process.stderr.write(`${address.href} ${answer}.\n`);
  return 1;
}

/** Where the server of these settings listens, or a sentence that says why that is not known. */
async function ownAddress(): Promise<URL | string> {
  // Asked every few seconds: whoever names the address does not pay for reading the settings.
  const { loadConfig } = await import('../config/load.ts');
  const loaded = loadConfig();
  if (!loaded.ok) return loaded.faults.map(({ path, reason }) => `${path}: ${reason}.`).join('\n');
  const { host, port } = loaded.config;
  if (port === 0) return 'The system chose the port: name the address to ask.';
  const name = EVERYWHERE.has(host) ? '127.0.0.1' : host;
  return new URL(`http://${name.includes(':') ? `[${name}]` : name}:${port}/health/ready`);
}

function readAddress(text: string): URL | string {
  const address = URL.parse(text);
  return address !== null && /^https?:$/.test(address.protocol)
    ? address
    : 'The address to ask begins with http:// or https://.';
}

async function ask(address: URL): Promise<string> {
  try {
    const answer = await fetch(address, { redirect: 'manual', signal: AbortSignal.timeout(DEADLINE_MS) });
    await answer.body?.cancel();
    return answer.ok ? 'ready' : `answers ${answer.status}`;
  } catch (error) {
    return error instanceof Error && error.name === 'TimeoutError'
      ? `does not answer within ${DEADLINE_MS / 1000} s`
      : 'cannot be reached';
  }
}
