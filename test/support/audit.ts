import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type House, openHouse } from '../../src/app.ts';
import { run } from '../../src/commands/audit.ts';
import type { AuditContext } from '../../src/commands/audit-office.ts';
import { prepareConfig } from '../../src/config/prepare.ts';
import type { Config, ConfigOverrides } from '../../src/config/schema.ts';
import { createSoftwareSm2Signer } from '../../src/crypto/sm2-software-signer.ts';
import { startSequencer } from '../../src/ledger/sequencing/sequencer.ts';
import type { Language } from '../../src/web/language.ts';
import { postgresStore } from './databases.ts';
import { temporaryFolder } from './folders.ts';
import { pythonMissing, runPython } from './python-verifier.ts';

export const REASON = 'complaint 2026-17 of the city office';
export const OPERATOR = 'auditor7';

/** What a command left behind. */
export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A house with a ledger, and its auditor at the command line. */
export interface AuditDesk {
  readonly house: House;
  readonly folder: string;
  /** `tongban audit ARGS`, which opens and closes a house of its own on the same store. */
  audit(args: readonly string[], input?: string, language?: Language): Promise<Said>;
  /** Has everything signed that was written, as a server would. */
  sign(): Promise<void>;
  file(name: string): string;
}

export function configFor(overrides: ConfigOverrides): Config {
  const prepared = prepareConfig({ env: { TONGBAN_PROFILE: 'test' }, overrides });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  return prepared.config;
}

/** An auditor's command line on any configuration. */
export const commandLine =
  (config: Config) =>
  async (args: readonly string[], input = '', language: Language = 'en'): Promise<Said> => {
    const output = { stdout: '', stderr: '' };
    const context: AuditContext = {
      stdin: (async function* () {
        yield input;
      })(),
      stdout: { write: (text) => (output.stdout += text) },
      stderr: { write: (text) => (output.stderr += text) },
      operator: OPERATOR,
      language,
      openHouse: () => openHouse(config, OPERATOR),
    };
    try {
      return { code: await run(args, context), ...output };
    } catch (error) {
      // As the command line ends when something breaks.
      return { code: 1, ...output, stderr: `${output.stderr}${error instanceof Error ? error.message : error}` };
    }
  };

export async function auditDesk(t: ExecutionContext, engine: 'sqlite' | 'postgres' = 'sqlite'): Promise<AuditDesk> {
  const folder = temporaryFolder(t);
  const config = configFor({
    dataDir: join(folder, 'data'),
    ...(engine === 'sqlite' ? {} : { database: { url: await postgresStore(t) } }),
  });
  const house = await openHouse(config, 'server');
  t.teardown(() => house.close());
  return {
    house,
    folder,
    audit: commandLine(config),
    sign: () => signAll(house),
    file: (name) => join(folder, name),
  };
}

/** What both verifiers say of an exported file, with the key an auditor brought. */
export async function verdicts({ audit, file }: AuditDesk, name: string): Promise<readonly (number | null)[]> {
  const key = JSON.parse((await audit(['key', '--json'])).stdout).key as string;
  const node = await audit(['verify', '--export', file(name), '--key', key]);
  if (pythonMissing() !== undefined) return [node.code];
  return [node.code, runPython([file(name), '--key', key]).status];
}

export async function signAll({ database, ledgerKey }: House): Promise<void> {
  const signer = createSoftwareSm2Signer(ledgerKey.privateKeyHex);
  const sequencer = startSequencer({ database, signer, origin: ledgerKey.origin });
  await sequencer.settle();
  await sequencer.stop();
  await signer.close();
}

export interface SignIn {
  readonly personId: string;
  readonly address?: string;
  readonly userAgent?: string;
  readonly failed?: boolean;
  readonly clientId?: string;
}

/** Writes sign-ins as the server writes them, in one transaction. */
export const writeSignIns = ({ database, ledger }: House, signIns: readonly SignIn[]): Promise<void> =>
  database.write(async (tx) => {
    for (const { failed = false, address = '192.0.2.10', userAgent = 'Firefox', ...who } of signIns) {
      const common = { ...who, address, userAgent };
      if (failed) {
        const details = { reason: 'password', factor: 'pwd' };
        await ledger.append(tx, { ...common, type: 'sign-in.refused', outcome: 'failure', details });
      } else {
        await ledger.append(tx, { ...common, type: 'sign-in.succeeded', details: { amr: ['pwd'], acr: 'ial1' } });
      }
    }
  });

/** `count` sign-ins by people p_0 to p_9 in turn. */
export const manySignIns = (count: number, firstNumber = 0): readonly SignIn[] =>
  Array.from({ length: count }, (_, at) => ({
    personId: `p_${(firstNumber + at) % 10}`,
    address: `192.0.2.${(firstNumber + at) % 200}`,
  }));
