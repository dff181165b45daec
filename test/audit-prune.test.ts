import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { createSm2Verifier, createSoftwareSm2Signer } from '../src/crypto/sm2-software-signer.ts';
import { createPruning, type Pruning } from '../src/ledger/auditing/pruning.ts';
import { removeEntries } from '../src/ledger/auditing/removal.ts';
import { signedTree } from '../src/ledger/auditing/signed-tree.ts';
import { cosign, encodeVerifierKey } from '../src/ledger/checkpoints/checkpoint.ts';
import { checkAtStart } from '../src/ledger/sequencing/start-check.ts';
import { turnClock } from '../src/shared/clock.ts';
import { type AuditDesk, auditDesk, manySignIns, OPERATOR, writeSignIns } from './support/audit.ts';
import { type EngineTest, embeddedTest, postgresTest } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { WITNESS, WITNESS_KEY_HEX } from './support/ledger-builder.ts';
import { cleanEnvironment } from './support/product.ts';
import { pythonMissing, runPython } from './support/python-verifier.ts';

const DAY_MS = 86_400_000;
const ENGINES: readonly (readonly ['sqlite' | 'postgres', EngineTest])[] = [
  ['sqlite', embeddedTest],
  ['postgres', postgresTest],
];
const REASON = ['--reason', 'the retention of 400 days has passed'];
const daysAgo = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();
const PROPOSE = ['prune', 'propose', '--before', daysAgo(450), '--by', 'Wang Ying', ...REASON, '--json'];

/** `old` entries of 500 days ago, the first of them of a token, and a few of today. */
async function oldLedger(
  t: ExecutionContext,
  old: number,
  engine: 'sqlite' | 'postgres' = 'sqlite',
): Promise<AuditDesk> {
  const desk = await auditDesk(t, engine);
  t.teardown(() => turnClock(0));
  turnClock(-500 * DAY_MS);
  await desk.house.ledger.record({ type: 'token.issued', personId: 'p_0', clientId: 'portal' });
  const step = old > 1000 ? 4000 : 300;
  for (let at = 1; at < old; at += step) {
    await writeSignIns(desk.house, manySignIns(Math.min(step, old - at), at));
    await desk.sign();
  }
  turnClock(0);
  await writeSignIns(desk.house, manySignIns(50));
  await desk.sign();
  return desk;
}

async function propose(t: ExecutionContext, { audit }: AuditDesk): Promise<string> {
  const said = await audit(PROPOSE);
  t.is(said.code, 0, said.stderr);
  return JSON.parse(said.stdout).id as string;
}

const pruningOf = ({ house }: AuditDesk): Pruning =>
  createPruning({ ...house, reader: house.ledgerReader, retentionDays: house.config.ledger.retentionDays });

async function count({ house }: AuditDesk, what: string): Promise<number> {
  return Number((await house.database.get<{ count: number }>(`SELECT count(*) AS count FROM ${what}`, []))?.count);
}

for (const [engine, engineTest] of ENGINES) {
  engineTest.serial(
    `L13 two people remove what is past its retention, and everything else verifies (${engine})`,
    async (t) => {
      const desk = await oldLedger(t, 700, engine);
      const { audit, house, file } = desk;
      const key = JSON.parse((await audit(['key', '--json'])).stdout).key as string;
      const size = (await signedTree(house.database))?.size ?? 0;
      const id = await propose(t, desk);
      t.like((await ledgerEntries(house.database, 'audit.prune-proposed'))[0]?.data, {
        proposal: id,
        from: 0,
        to: 512,
      });

      for (const name of ['Wang Ying', ' wang  ying', 'ＷＡＮＧ Ying', 'WangYing']) {
        const alone = await audit(['prune', 'approve', id, '--by', name]);
        t.is(alone.code, 1, name);
        t.regex(alone.stderr, /second person/);
      }
      t.is(await count(desk, 'ledger_entries WHERE seq < 512'), 512);

      const approved = await audit(['prune', 'approve', id, '--by', 'Zhao Min']);
      t.is(approved.code, 0, approved.stderr);
      t.is(await count(desk, 'ledger_entries WHERE seq < 512'), 0);
      t.is(await count(desk, 'ledger_entries WHERE seq >= 512 AND seq < 700'), 188);
      t.is(await count(desk, 'ledger_tiles WHERE level = 0 AND position < 2'), 0);
      t.is(await count(desk, 'ledger_tiles WHERE level = 1'), 1);
      t.is(await count(desk, 'ledger_index WHERE seq < 512'), 0, 'nobody is found by what is gone');
      t.true((await count(desk, 'ledger_index WHERE seq >= 512')) > 188);
      const [event] = await ledgerEntries(house.database, 'audit.prune');
      t.like(event?.data, { from: 0, to: 512 });
      t.deepEqual(event?.data.approvers, [`Wang Ying (${OPERATOR})`, `Zhao Min (${OPERATOR})`]);

      t.is((await audit(['verify', '--live', '--key', key])).code, 0);
      const standing = await checkAtStart(
        house.database,
        createSm2Verifier(house.ledgerKey.publicKey),
        house.ledgerKey.origin,
      );
      t.true(standing.ok, 'a server may start on it');
      const out = ['export', ...REASON, '--out'];
      t.is((await audit([...out, file('rest.jsonl')])).code, 0);
      t.is((await audit(['verify', '--export', file('rest.jsonl'), '--key', key])).code, 0);
      if (pythonMissing() === undefined) t.is(runPython([file('rest.jsonl'), '--key', key]).status, 0);
      t.is((await audit(['prove', '600', '--out', file('p.tlog-proof')])).code, 0);
      t.is((await audit(['check-proof', file('p.tlog-proof'), file('p.entry.json'), '--key', key])).code, 0);
      t.is((await audit(['prove', '100'])).code, 1);
      t.regex((await audit([...out, file('x.jsonl'), '--from-seq', '0'])).stderr, /before 512 were removed/);
      const search = await audit(['search', ...REASON, '--person-id', 'p_1', '--json', '--limit', '10000']);
      t.true(
        search.stdout
          .split('\n')
          .filter((line) => line !== '')
          .every((line) => JSON.parse(line).seq >= 512),
      );

      t.regex((await audit(['prune', 'approve', id, '--by', 'Zhao Min'])).stderr, /carried out already/);
      t.regex((await audit(PROPOSE)).stderr, /no whole tile/);
      t.regex((await audit(['prune', 'list'])).stdout, /Wang Ying[\s\S]*Zhao Min[\s\S]*done/);
      t.true(size > 700);
    },
  );

  engineTest.serial(
    `L13 a later removal takes the entry of an earlier one with it and vouches for both (${engine})`,
    async (t) => {
      const desk = await oldLedger(t, 300, engine);
      const { audit, house } = desk;
      t.is((await audit(['prune', 'approve', await propose(t, desk), '--by', 'Zhao Min'])).code, 0);
      await writeSignIns(house, manySignIns(400));
      await desk.sign();
      turnClock(500 * DAY_MS);
      const again = [
        'prune',
        'propose',
        '--before',
        new Date(Date.now() + 50 * DAY_MS).toISOString(),
        '--by',
        'Zhao Min',
      ];
      const proposed = await audit([...again, ...REASON, '--json']);
      t.is(proposed.code, 0, proposed.stderr);
      const { id, from, to } = JSON.parse(proposed.stdout);
      t.is(from, 256);
      t.is(to, 512);
      t.is((await audit(['prune', 'approve', id, '--by', 'Wang Ying'])).code, 0);
      const events = await ledgerEntries(house.database, 'audit.prune');
      t.is(events.length, 1, 'the first of them is gone');
      t.is((await audit(['verify', '--live'])).code, 0);
    },
  );

  engineTest.serial(
    `L13 a removal that was cut off is taken up again, and verifies in between (${engine})`,
    async (t) => {
      const desk = await oldLedger(t, 4000, engine);
      const { audit, house } = desk;
      const id = await propose(t, desk);
      const pruning = pruningOf(desk);
      const begun = await pruning.approve(id, { name: 'Zhao Min', operator: OPERATOR }, async () => undefined);
      t.true(begun.ok);
      t.is(
        await count(desk, 'ledger_entries WHERE seq < 3840'),
        2816,
        'the first step goes with the entry that tells of it',
      );
      t.is((await audit(['prune', 'list'])).stdout.includes('approved, not finished'), true);
      await desk.sign();
      t.is((await audit(['verify', '--live'])).code, 0);
      await house.database.write((tx) => removeEntries(tx, house.database.engine, { start: 1024, end: 2048 }));
      t.is((await audit(['verify', '--live'])).code, 0);

      const resumed = await audit(['prune', 'approve', id, '--by', 'Zhao Min', '--json']);
      t.is(resumed.code, 0, resumed.stderr);
      t.like(JSON.parse(resumed.stdout), { to: 3840, resumed: true });
      t.is(await count(desk, 'ledger_entries WHERE seq < 3840'), 0);
      t.is((await audit(['verify', '--live'])).code, 0);
      t.is((await ledgerEntries(house.database, 'audit.prune')).length, 1);
    },
  );
}

test.serial('S2 nothing that is not past its retention can be proposed or removed', async (t) => {
  const desk = await oldLedger(t, 300);
  const { audit, house } = desk;
  const early = await audit(['prune', 'propose', '--before', daysAgo(399), '--by', 'Wang Ying', ...REASON]);
  t.is(early.code, 1);
  t.regex(early.stderr, /400 days/);
  const id = await propose(t, desk);
  // The store is edited: the proposal now reaches into what must be kept.
  await writeSignIns(house, manySignIns(400));
  await desk.sign();
  await house.database.run(`UPDATE ledger_approvals SET parameters = replace(parameters, '256', '512')`, []);
  const refused = await audit(['prune', 'approve', id, '--by', 'Zhao Min']);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /Entry 300 is not past its retention/);
  t.is(await count(desk, 'ledger_entries WHERE seq < 512'), 512);
});

test.serial('L13 an edited ledger is not removed: what is gone cannot be verified any more', async (t) => {
  const desk = await oldLedger(t, 700);
  const { audit, house } = desk;
  const id = await propose(t, desk);
  await house.database.run(
    `UPDATE ledger_entries SET entry = replace(entry, '"acr":"ial1"', '"acr":"ial2"') WHERE seq = 7`,
    [],
  );
  const refused = await audit(['prune', 'approve', id, '--by', 'Zhao Min']);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /does not verify/);
  t.is(await count(desk, 'ledger_entries WHERE seq < 512'), 512);
  t.like((await ledgerEntries(house.database, 'audit.verified'))[0]?.data, { verdict: 'tampered' });
});

test.serial('L13 an approval that only stands in the store removes nothing', async (t) => {
  const desk = await oldLedger(t, 700);
  const { audit, house } = desk;
  const id = await propose(t, desk);
  await house.database.run(`UPDATE ledger_approvals SET approved_by = 'Zhao Min (root)', approved_at = 1`, []);
  const refused = await audit(['prune', 'approve', id, '--by', 'Zhao Min']);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /this is an incident/);
  t.is(await count(desk, 'ledger_entries WHERE seq < 512'), 512);
});

test.serial('L13 two who approve at once remove once', async (t) => {
  const desk = await oldLedger(t, 700);
  const id = await propose(t, desk);
  const outcomes = await Promise.all(
    ['Zhao Min', 'Qian Li'].map((name) =>
      pruningOf(desk).approve(id, { name, operator: OPERATOR }, async () => undefined),
    ),
  );
  t.is(outcomes.filter((outcome) => outcome.ok && !outcome.resumed).length, 1);
  t.is((await ledgerEntries(desk.house.database, 'audit.prune')).length, 1);
});

test.serial('L13 nothing above the checkpoint that a witness holds is removed', async (t) => {
  const desk = await auditDesk(t);
  t.teardown(() => turnClock(0));
  turnClock(-500 * DAY_MS);
  await writeSignIns(desk.house, manySignIns(400));
  await desk.sign();
  const note = (await signedTree(desk.house.database))?.note ?? '';
  await writeSignIns(desk.house, manySignIns(400));
  await desk.sign();
  turnClock(0);
  await writeSignIns(desk.house, manySignIns(5));
  await desk.sign();
  const { audit, file } = desk;
  const signer = createSoftwareSm2Signer(WITNESS_KEY_HEX);
  const key = encodeVerifierKey(WITNESS, 'cosignature-sm2/v1', signer.publicKey);
  await writeFile(file('held.note'), await cosign(note, WITNESS, 1_767_225_600, signer));
  await signer.close();
  await writeFile(file('plain.note'), note);
  t.is(
    (await audit([...PROPOSE, '--witness', file('plain.note'), '--witness-key', key])).code,
    1,
    'nobody cosigned it',
  );
  t.is((await audit([...PROPOSE, '--witness', file('held.note')])).code, 2);
  const proposed = await audit([...PROPOSE, '--witness', file('held.note'), '--witness-key', key]);
  t.is(proposed.code, 0, proposed.stderr);
  t.is(JSON.parse(proposed.stdout).to, 256);
  t.is(JSON.parse((await audit(PROPOSE)).stdout).to, 768);
});

test.serial(
  'L13 a removal killed in the middle leaves whole tiles, verifies, and is finished by the next',
  async (t) => {
    const desk = await oldLedger(t, 20_000);
    const { audit, house } = desk;
    const id = await propose(t, desk);
    const { dataDir } = house.config;
    const child = spawn(process.execPath, ['src/main.js', 'audit', 'prune', 'approve', id, '--by', 'Zhao Min'], {
      cwd: new URL('../', import.meta.url),
      env: { ...cleanEnvironment(), TONGBAN_PROFILE: 'test', TONGBAN_DATA_DIR: dataDir },
    });
    const closed = once(child, 'close');
    const first = async (): Promise<number> =>
      Number((await house.database.get<{ seq: number }>('SELECT min(seq) AS seq FROM ledger_entries', []))?.seq);
    while ((await first()) < 2048 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 2));
    child.kill('SIGKILL');
    await closed;
    const reached = await first();
    t.true(reached >= 2048 && reached < 19_968, `killed at ${reached}`);
    t.is(reached % 256, 0);
    t.is((await audit(['verify', '--live'])).code, 0);
    const finished = await audit(['prune', 'approve', id, '--by', 'Zhao Min']);
    t.is(finished.code, 0, finished.stderr);
    t.is(await first(), 19_968);
    t.is((await audit(['verify', '--live'])).code, 0);
    t.is((await ledgerEntries(house.database, 'audit.prune')).length, 1);
  },
);
