import { Fault } from '../shared/fault.ts';
import type { AuditContext } from './audit-office.ts';
import { Refused } from './audit-words.ts';

type Action = (args: readonly string[], context: AuditContext) => Promise<number>;

const ACTIONS: Readonly<Record<string, { readonly means: string; readonly load: () => Promise<Action> }>> = {
  verify: {
    means: 'verify an export, or the stored ledger (--live)',
    load: async () => (await import('./audit-verify.ts')).run,
  },
  witness: {
    means: 'keep and cosign checkpoints, on another machine',
    load: async () => (await import('./audit-witness.ts')).run,
  },
  key: { means: 'the public key, for auditors to keep', load: async () => (await import('./audit-key.ts')).run },
  search: { means: 'find entries', load: async () => (await import('./audit-search.ts')).run },
  export: {
    means: 'write entries with their proofs to a file',
    load: async () => (await import('./audit-export.ts')).run,
  },
  prove: { means: 'the proof of one entry', load: async () => (await import('./audit-proof.ts')).prove },
  'check-proof': {
    means: 'check the proof of one entry, on any machine',
    load: async () => (await import('./audit-proof.ts')).checkProof,
  },
  report: { means: 'the report of a day', load: async () => (await import('./audit-report.ts')).run },
  erase: {
    means: 'make what the ledger says about a person unreadable',
    load: async () => (await import('./audit-erase.ts')).run,
  },
  prune: {
    means: 'remove what is past its retention; two people',
    load: async () => (await import('./audit-prune.ts')).run,
  },
};

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
  if (action === undefined) {
    context.stderr.write(usage());
    return 2;
  }
  try {
    return await (await action.load())(args, context);
  } catch (error) {
    if (!(error instanceof Refused) && !(error instanceof Fault)) throw error;
    context.stderr.write(`${error.message}\n`);
    return error instanceof Refused ? error.exitCode : 1;
  }
}
