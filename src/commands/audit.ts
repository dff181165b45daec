import { Fault } from '../shared/fault.ts';
import type { AuditContext } from './audit-office.ts';
import { Refused } from './audit-words.ts';

type Action = (args: readonly string[], context: AuditContext) => Promise<number>;

interface Loaded {
  readonly run: Action;
  readonly USAGE: string;
}

const ACTIONS: Readonly<Record<string, { readonly means: string; readonly load: () => Promise<Loaded> }>> = {
  verify: {
    means: 'verify an export, or the stored ledger (--live)',
    load: () => import('./audit-verify.ts'),
  },
  witness: {
    means: 'keep and cosign checkpoints, on another machine',
    load: () => import('./audit-witness.ts'),
  },
  key: { means: 'the public key, for auditors to keep', load: () => import('./audit-key.ts') },
  search: { means: 'find entries', load: () => import('./audit-search.ts') },
  export: {
    means: 'write entries with their proofs to a file',
    load: () => import('./audit-export.ts'),
  },
  prove: {
    means: 'the proof of one entry',
    load: async () => {
      const { prove, USAGE } = await import('./audit-proof.ts');
      return { run: prove, USAGE };
    },
  },
  'check-proof': {
    means: 'check the proof of one entry, on any machine',
    load: async () => {
      const { checkProof, USAGE } = await import('./audit-proof.ts');
      return { run: checkProof, USAGE };
    },
  },
  report: { means: 'the report of a day', load: () => import('./audit-report.ts') },
  erase: {
    means: 'make what the ledger says about a person unreadable',
    load: () => import('./audit-erase.ts'),
  },
  prune: {
    means: 'remove what is past its retention; two people',
    load: () => import('./audit-prune.ts'),
  },
};

const HELP = /^(?:help|--help|-h)$/;

function usage(): string {
  const lines = Object.entries(ACTIONS).map(([name, { means }]) => `  tongban audit ${name.padEnd(12)} ${means}`);
  return `Usage:\n${lines.join('\n')}\n`;
}

/**
 * `tongban audit ...`: what auditors do. 0 done (or good), 1 refused or failed (or tampered), 2 not understood (or cannot decide);
 * each refusal is a sentence on stderr.
 */
export async function run([name = '', ...args]: readonly string[], context: AuditContext): Promise<number> {
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (HELP.test(name) || (action !== undefined && args.length === 1 && HELP.test(args[0]!))) {
    context.stdout.write(action === undefined ? usage() : (await action.load()).USAGE);
    return 0;
  }
  if (action === undefined) {
    context.stderr.write(usage());
    return 2;
  }
  try {
    return await (await action.load()).run(args, context);
  } catch (error) {
    if (!(error instanceof Refused) && !(error instanceof Fault)) throw error;
    context.stderr.write(`${error instanceof Fault ? error.forOperator : error.message}\n`);
    return error instanceof Refused ? error.exitCode : 1;
  }
}
