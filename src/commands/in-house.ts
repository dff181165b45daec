import { openHouse } from '../app.ts';
import { prepareConfig } from '../config/prepare.ts';

/** Opens the house for one command, beside a server that may be running on the same data, and closes it afterwards. */
export async function runInHouse(name: 'client' | 'person' | 'keys', args: readonly string[]): Promise<number> {
  const prepared = prepareConfig();
  if (!prepared.ok) {
    process.stderr.write(`${prepared.sentences.join('\n')}\n`);
    return prepared.exitCode;
  }
  const { config } = prepared;
  const house = await openHouse(config);
  const { stdin, stdout, stderr } = process;
  try {
    switch (name) {
      case 'client':
        return await (await import('./client.ts')).run(args, {
          relyingParties: house.relyingParties,
          stdin,
          stdout,
          stderr,
        });
      case 'person':
        return await (await import('./person.ts')).run(args, {
          persons: house.persons,
          passwords: house.passwords,
          passwordLengths: config.password,
          contextWords: [config.branding.nameEn, config.branding.nameZh, config.branding.provinceEn],
          stdin,
          stdout,
          stderr,
        });
      default:
        return await (await import('./keys.ts')).run(args, { keyring: house.keyring, stdout, stderr });
    }
  } finally {
    await house.close();
  }
}
