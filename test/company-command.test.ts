import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { run as company } from '../src/commands/company.ts';
import { run as mandate } from '../src/commands/mandate.ts';
import { sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { ledgerEntries } from './support/ledger.ts';
import { CITIZEN_PORTAL, COMPANY, legalRoom, PEOPLE, PORTAL, SHOP } from './support/legal-persons.ts';

async function commandLine(t: ExecutionContext) {
  const room = legalRoom(await sqliteDatabase(t));
  const at =
    (command: typeof company) =>
    async (...args: readonly string[]) => {
      const said = { stdout: '', stderr: '' };
      const code = await command(args, {
        house: room,
        operator: 'ops',
        stdout: { write: (text) => (said.stdout += text) },
        stderr: { write: (text) => (said.stderr += text) },
      });
      return { code, ...said };
    };
  const [runCompany, runMandate] = [at(company), at(mandate)];
  const json = async (ran: ReturnType<typeof runCompany>) => {
    const { code, stdout, stderr } = await ran;
    t.is(code, 0, stderr);
    return JSON.parse(stdout);
  };
  return { room, company: runCompany, mandate: runMandate, json };
}

test('a company is entered, shown with its code masked, stopped and released by staff', async (t) => {
  const line = await commandLine(t);
  const added = await line.json(
    line.company('add', '--uscc', '91339900-ma9x0101-4c', '--name', COMPANY.name, '--json'),
  );
  t.like(added, { usccMasked: '91**************4C', name: COMPANY.name, status: 'active', posts: [], warnings: [] });
  t.like(await line.company('add', '--uscc', COMPANY.uscc, '--name', COMPANY.name), { code: 1, stdout: '' });
  t.like(await line.company('add', '--uscc', '91339900MA9X01014D', '--name', 'x'), { code: 2 });
  const shown = await line.company('show', '--uscc', COMPANY.uscc);
  t.regex(shown.stdout, /status +active/);
  t.false(shown.stdout.includes(COMPANY.uscc));
  const stopped = await line.json(line.company('suspend', '--id', added.id, '--reason', 'court order 12', '--json'));
  t.like(stopped, { status: 'suspended', suspendedCause: 'operator', outcome: 'changed' });
  t.like(await line.json(line.company('resume', '--id', added.id, '--reason', 'lifted', '--json')), {
    status: 'active',
  });
  t.is((await line.json(line.company('list', '--json'))).length, 1);
  t.like(await line.json(line.company('recheck', '--id', added.id, '--json')), { outcome: 'unchanged' });
  t.is((await ledgerEntries(line.room.database, 'legal-person.suspended'))[0]?.actor, 'operator:ops');
});

test('words that mean nothing get the usage and exit code 2, and nothing changes', async (t) => {
  const line = await commandLine(t);
  for (const args of [
    [],
    ['fly'],
    ['show'],
    ['show', '--id', 'x', '--uscc', 'y'],
    ['suspend', '--id', 'x'],
    ['show', '--frob'],
    ['list', '--limit', 'many'],
    ['suspend', '--id', 'x', '--reason', ' '],
    ['review', 'fly'],
    ['__proto__'],
    ['add', '--uscc', 'x'],
  ]) {
    const ran = await line.company(...args);
    t.is(ran.code, 2, args.join(' '));
    t.true(ran.stderr.length > 0);
  }
  for (const args of [[], ['grant'], ['grant', '--matter', 'tax'], ['list'], ['accept', 'x'], ['revoke', 'x']]) {
    t.is((await line.mandate(...args)).code, 2, args.join(' '));
  }
  t.is((await line.mandate('show', 'mdt_none')).code, 1);
  t.is((await line.company('show', '--id', 'lgp_none')).code, 1);
});

test('F3 staff grant, accept, renew and end mandates in the name of those they speak for, or with evidence', async (t) => {
  const line = await commandLine(t);
  const { personId, legalPersonId } = await line.room.claimed();
  const [agent, elder] = [await line.room.add('agent'), await line.room.add('elder')];
  const document = `resident_id_card:CN:${PEOPLE.agent.idNumber}`;
  const granted = await line.json(
    line.mandate(
      'grant',
      '--company',
      COMPANY.uscc,
      '--agent-document',
      document,
      '--agent-name',
      '陈雨桐',
      '--matter',
      'tax',
      '--matter',
      'registration',
      '--until',
      new Date(Date.now() + 20 * 86_400_000).toISOString().slice(0, 10),
      '--as',
      personId,
      '--json',
    ),
  );
  t.like(granted, {
    status: 'invited',
    agentName: '*雨桐',
    inviteeNumberMasked: '4****************8',
    matters: ['registration', 'tax'],
  });
  t.like(await line.mandate('accept', granted.id, '--as', personId), { code: 1 });
  t.like(await line.json(line.mandate('accept', granted.id, '--as', agent, '--json')), { status: 'active', agent });
  const until = new Date(Date.now() + 100 * 86_400_000).toISOString().slice(0, 10);
  t.like(await line.json(line.mandate('renew', granted.id, '--until', until, '--as', personId, '--json')), {
    status: 'active',
  });
  t.like(await line.json(line.mandate('suspend', granted.id, '--reason', 'asked by phone', '--json')), {
    suspendedBy: 'operator',
  });
  t.like(await line.mandate('resume', granted.id, '--reason', 'x', '--as', personId), { code: 1 });
  t.like(await line.json(line.mandate('resume', granted.id, '--reason', 'asked again', '--json')), {
    status: 'active',
  });
  t.like(await line.json(line.mandate('revoke', granted.id, '--reason', 'left', '--as', agent, '--json')), {
    status: 'revoked',
    cause: 'by_agent',
  });
  t.is((await line.json(line.mandate('list', '--company', COMPANY.uscc, '--json'))).length, 1);
  t.is((await line.json(line.mandate('list', '--company', COMPANY.uscc, '--live', '--json'))).length, 0);
  t.is((await line.json(line.mandate('list', '--agent', agent, '--json'))).length, 1);

  const relative = await line.json(
    line.mandate(
      'grant',
      '--kind',
      'relative',
      '--represented',
      elder,
      '--agent',
      agent,
      '--matter',
      'health',
      '--evidence',
      '窗口核验',
      '--json',
    ),
  );
  t.like(relative, { kind: 'relative', represented: elder, principalName: '*桂芳', portals: [CITIZEN_PORTAL] });
  await line.json(line.mandate('accept', relative.id, '--as', agent, '--json'));
  t.like(await line.json(line.mandate('revoke', relative.id, '--reason', 'called 12345', '--json')), {
    cause: 'by_operator',
  });
  t.like(await line.mandate('grant', '--company', COMPANY.uscc, '--agent', agent, '--matter', 'tax', '--as', agent), {
    code: 1,
  });
  t.is((await ledgerEntries(line.room.database, 'mandate.granted'))[0]?.data.grantor, personId);
  t.like(
    await line.json(line.company('appoint', '--id', legalPersonId, '--person', agent, '--as', personId, '--json')),
    { status: 'active' },
  );
  t.like(await line.company('dismiss', '--id', legalPersonId, '--person', personId), { code: 1 });
  t.like(await line.json(line.company('dismiss', '--id', legalPersonId, '--person', agent, '--json')), {
    status: 'active',
  });
  await line.room.persons.disable(personId, 'test');
  t.like(await line.company('appoint', '--id', legalPersonId, '--person', agent, '--as', personId), { code: 1 });
});

test('F3 two reviewers approve a claim from their terminals, and evidence is written for its reader alone', async (t) => {
  const line = await commandLine(t);
  const personId = await line.room.add('owner');
  const files = [{ name: '../../etc/passwd', content: Buffer.from('%PDF-1.7 \u0000 binary') }];
  const submitted = await line.room.legalPersons.submit({ personId, ...SHOP, files });
  if (!submitted.ok) return t.fail(submitted.reason);
  const { claimId } = submitted;
  t.like((await line.json(line.company('review', 'list', '--json')))[0], { id: claimId, person: personId });
  t.like(await line.json(line.company('review', 'show', claimId, '--json')), { name: SHOP.name, status: 'pending' });
  const out = join(temporaryFolder(t), 'evidence');
  const words = ['--by', '李明', '--reason', '核对原件'];
  const exported = await line.json(line.company('review', 'evidence', claimId, '--out', out, ...words, '--json'));
  t.deepEqual(exported.files, ['1.pdf']);
  t.deepEqual(readFileSync(join(out, '1.pdf')), files[0]!.content);
  t.is(statSync(out).mode & 0o777, 0o700);
  t.is(statSync(join(out, '1.pdf')).mode & 0o777, 0o600);
  mkdirSync(`${out}-2`);
  t.is((await line.company('review', 'evidence', claimId, '--out', `${out}-2`, ...words)).code, 1);
  t.deepEqual(readdirSync(`${out}-2`), []);

  t.like(await line.json(line.company('review', 'approve', claimId, ...words, '--json')), { outcome: 'second' });
  t.like(await line.company('review', 'approve', claimId, ...words), { code: 1 });
  t.is((await line.company('review', 'approve', claimId, '--by', '赵云')).code, 2, 'a reason is required');
  t.like(
    await line.json(line.company('review', 'approve', claimId, '--by', '赵云', '--reason', '电话回访', '--json')),
    { outcome: 'approved' },
  );
  t.like((await line.json(line.company('claims', '--person', personId, '--json')))[0], { status: 'approved' });
  const post = (await line.json(line.company('show', '--uscc', SHOP.uscc, '--json'))).posts[0];
  t.like(post, { role: 'legal_representative', personId });
});

test('F3 agents come by the file: a dry run says what would be, and faults say where', async (t) => {
  const line = await commandLine(t);
  const { personId } = await line.room.claimed();
  const folder = temporaryFolder(t);
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const head = '姓名,证件号码,事项,门户\n';
  const good = write('good.csv', `${head}陈雨桐,${PEOPLE.agent.idNumber},tax,${PORTAL}\n`);
  const bad = write('bad.csv', `${head}陈雨桐,${PEOPLE.agent.idNumber},tax,nowhere\n孙丽,1,tax,\n`);
  const run = (file: string, ...more: readonly string[]) =>
    line.company('mandates', 'import', file, '--company', COMPANY.uscc, '--as', personId, ...more);
  t.like(await line.json(run(good, '--dry-run', '--json')), { ok: true, dryRun: true, granted: 1 });
  t.is((await line.json(line.company('mandates', '--uscc', COMPANY.uscc, '--json'))).length, 0);
  const refused = await run(bad);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /line 3 证件号码: length\n1 faults; nothing was granted/);
  t.like(await line.json(run(good, '--json')), { ok: true, granted: 1 });
  t.like(await line.json(run(good, '--json')), { ok: true, granted: 0, unchanged: 1 });
  t.is((await run(join(folder, 'none.csv'))).code, 1);
  t.is((await line.json(line.company('uses', '--uscc', COMPANY.uscc, '--json'))).length, 0);
});
