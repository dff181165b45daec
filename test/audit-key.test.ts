import { writeFile } from 'node:fs/promises';
import test from 'ava';
import { auditDesk, REASON, writeSignIns } from './support/audit.ts';
import { pythonMissing, runPython } from './support/python-verifier.ts';

test('whoever asks how a command is used is told so on standard output, and that is no failure', async (t) => {
  const { audit } = await auditDesk(t);
  for (const [args, usage] of [
    [['--help'], /^Usage:\n {2}tongban audit verify /],
    [['search', '--help'], /^tongban audit search /],
    [['check-proof', '-h'], /tongban audit check-proof FILE/],
  ] as const) {
    const told = await audit(args);
    t.is(told.code, 0, args.join(' '));
    t.regex(told.stdout, usage);
    t.is(told.stderr, '');
  }
});

test('L15 the output of the key command, kept as it is, is the key file of every verifier', async (t) => {
  const { audit, file, house, sign } = await auditDesk(t);
  await writeSignIns(house, [{ personId: 'p_wang', address: '198.51.100.1' }]);
  await sign();
  await writeFile(file('key'), (await audit(['key'])).stdout);
  await audit(['prove', '0', '--out', file('0.tlog-proof')]);
  const proven = await audit(['check-proof', file('0.tlog-proof'), file('0.entry.json'), '--key', file('key')]);
  t.is(proven.code, 0, proven.stderr);
  const exported = await audit(['export', '--out', file('all.jsonl'), '--reason', REASON]);
  t.is(exported.code, 0, exported.stderr);
  const verified = await audit(['verify', '--export', file('all.jsonl'), '--key', file('key')]);
  t.is(verified.code, 0, verified.stderr);
  if (pythonMissing() === undefined) {
    const { status, output } = runPython([file('all.jsonl'), '--key', file('key')]);
    t.is(status, 0, output);
  }
  await writeFile(file('key'), '# no key in here\n');
  t.is((await audit(['verify', '--export', file('all.jsonl'), '--key', file('key')])).code, 2);
});
