import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { METRICS } from '../src/monitoring/catalogue.ts';
import { createMetrics } from '../src/monitoring/metrics.ts';
import { temporaryFolder } from './support/databases.ts';
import { parseExposition } from './support/exposition.ts';
import { startNode } from './support/monitored.ts';
import { freePort } from './support/server.ts';

const FOLDER = join(import.meta.dirname, '..', 'docs', 'monitoring');
const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
const run = promisify(execFile);

const isThere = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

/** A test that needs a program of Debian's package prometheus; elsewhere it is counted as skipped, with the reason. */
function withProgram(program: string, title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (isThere(program)) test(title, body);
  else test.skip(`${title} (skipped: no ${program} on the path)`, body);
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

interface Dashboard {
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
}

const dashboard = JSON.parse(read('grafana-dashboard.json')) as Dashboard;

/** Names of metrics in a text, without the endings of a histogram's parts. */
const metricsIn = (text: string): readonly string[] =>
  [...new Set([...text.matchAll(/\b(?:tongban|nodejs|process)_[a-z0-9_]*[a-z0-9]\b/g)].map(([name]) => name))].map(
    (name) => (Object.hasOwn(METRICS, name) ? name : name.replace(/_(bucket|sum|count)$/, '')),
  );

test('every metric that dashboard, alerts and guide name exists', (t) => {
  const known = new Set(createMetrics({}).names());
  for (const [file, least] of [
    ['grafana-dashboard.json', 20],
    ['alerts.yml', 15],
    ['README.md', 12],
  ] as const) {
    const named = metricsIn(read(file));
    t.true(named.length >= least, `${file} names ${named.length}`);
    t.deepEqual(
      named.filter((name) => !known.has(name)),
      [],
      file,
    );
  }
});

test('labels that dashboard and alerts choose by are labels of that metric', (t) => {
  const always = ['instance', 'job', 'le'];
  let seen = 0;
  for (const file of ['grafana-dashboard.json', 'alerts.yml']) {
    for (const [, name = '', chosen = ''] of read(file).matchAll(/\b(tongban_\w+)\{([^{}]*)\}/g)) {
      const metric = metricsIn(name)[0] as keyof typeof METRICS;
      for (const [, label = ''] of chosen.matchAll(/(\w+)\s*(?:=~|!=|!~|=)/g)) {
        seen += 1;
        t.true(always.includes(label) || METRICS[metric].labels.includes(label), `${file}: ${name}{${label}}`);
      }
    }
  }
  t.true(seen > 30);
});

test('the dashboard is one whose panels have numbers of their own, sentences, and do not overlap', (t) => {
  t.true(dashboard.schemaVersion >= 39);
  t.deepEqual(
    dashboard.templating.list.map(({ name }) => name),
    ['datasource', 'instance'],
  );
  t.is(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  const taken = new Set<string>();
  for (const { type, title, description, gridPos, targets = [] } of dashboard.panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        t.true(x < 24 && !taken.has(`${x} ${y}`), title);
        taken.add(`${x} ${y}`);
      }
    if (type === 'row') continue;
    t.regex(description ?? '', /\.$/, title);
    t.true(targets.length > 0, title);
    t.is(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
  }
});

test('every alert has a name of its own, a severity, a summary and what to do', (t) => {
  const rules = read('alerts.yml').split('      - alert: ').slice(1);
  t.true(rules.length >= 20);
  t.is(new Set(rules.map((rule) => rule.split('\n', 1)[0])).size, rules.length);
  for (const rule of rules) {
    t.regex(rule, /^Tongban[A-Za-z]+\n {8}expr: /, rule);
    t.regex(rule, /\n {8}labels: \{ severity: (critical|warning) \}\n/, rule);
    t.regex(rule, /\n {10}summary: .+\.\n {10}action: .+\.\n/, rule);
  }
});

withProgram('promtool', 'Prometheus accepts the rules, the sample configuration and a scrape', async (t) => {
  t.regex((await run('promtool', ['check', 'rules', join(FOLDER, 'alerts.yml')])).stdout, /SUCCESS: \d+ rules/);
  await run('promtool', ['check', 'config', join(FOLDER, 'prometheus.yml')]);
  const node = await startNode(t);
  node.requests.count('token', 'POST', 200, 1);
  const metrics = await (await fetch(`${node.url}/metrics`)).text();
  const ours = metrics
    .split('\n')
    .filter((line) => /^(# (HELP|TYPE) )?tongban_/.test(line))
    .join('\n');
  t.true(parseExposition(ours).samples.length > 50);
  const check = spawnSync('promtool', ['check', 'metrics'], { input: `${ours}\n`, encoding: 'utf8' });
  t.is(check.stderr + check.stdout, '');
  t.is(check.status, 0);
});

withProgram('promtool', 'the alerts fire when they should, and are quiet on an ordinary day', async (t) => {
  const series = (name: string, values: string) => `      - series: '${name}'\n        values: '${values}'\n`;
  const quiet = [
    series('up{job="tongban",instance="a"}', '1x30'),
    series('tongban_readiness{check="database",instance="a"}', '0x30'),
    series('tongban_http_requests_total{route="token",method="POST",status="200",instance="a"}', '0+6000x30'),
    series('tongban_http_requests_total{route="token",method="POST",status="503",instance="a"}', '0+3x30'),
    series('tongban_sign_ins_total{outcome="succeeded",factor="password",instance="a"}', '0+600x30'),
    series('tongban_sign_ins_total{outcome="refused",factor="password",instance="a"}', '0+60x30'),
    series('tongban_ledger_unsigned_seconds{instance="a"}', '1x30'),
    series('tongban_ledger_append_failures_total{instance="a"}', '0x30'),
    series('tongban_ledger_events_total{type="code.replayed",instance="a"}', '0x30'),
    series('tongban_certificate_expires_seconds{file="id.pem",instance="a"}', '8640000x30'),
    series('tongban_data_folder_free_bytes{instance="a"}', '5e9x30'),
    series('tongban_incidents_open{level="III",instance="a"}', '0x30'),
    series('tongban_feed_up{feed="siem",instance="a"}', '1x30'),
  ].join('');
  const loud = [
    series('up{job="tongban",instance="a"}', '0x30'),
    series('tongban_readiness{check="database",instance="a"}', '2x30'),
    series('tongban_http_requests_total{route="token",method="POST",status="200",instance="a"}', '0+6000x30'),
    series('tongban_http_requests_total{route="token",method="POST",status="503",instance="a"}', '0+600x30'),
    series('tongban_sign_ins_total{outcome="succeeded",factor="password",instance="a"}', '0+60x30'),
    series('tongban_sign_ins_total{outcome="refused",factor="password",instance="a"}', '0+600x30'),
    series('tongban_ledger_unsigned_seconds{instance="a"}', '16+60x30'),
    series('tongban_ledger_append_failures_total{instance="a"}', '0+1x30'),
    series('tongban_ledger_events_total{type="code.replayed",instance="a"}', '0x20 1x10'),
    series('tongban_certificate_expires_seconds{file="id.pem",instance="a"}', '500000x30'),
    series('tongban_data_folder_free_bytes{instance="a"}', '5e8x30'),
    series('tongban_incidents_open{level="III",instance="a"}', '1x30'),
    series('tongban_feed_up{feed="siem",instance="a"}', '0x30'),
  ].join('');
  const wanted = ['Down', 'Unready', 'Errors', 'SignInsRefused', 'LedgerUnsigned', 'LedgerAppend', 'TokenReplay']
    .concat(['CertificateEndsSoon', 'DiskFills', 'IncidentOpen', 'FeedDown'])
    .map((name) => `Tongban${name}`);
  const expected = (name: string, fires: boolean) =>
    `      - expr: count(ALERTS{alertname="${name}",alertstate="firing"}) or vector(0)\n        eval_time: 29m\n        exp_samples:\n          - labels: '{}'\n            value: ${fires ? 1 : 0}\n`;
  const group = (input: string, fires: boolean) =>
    `  - interval: 1m\n    input_series:\n${input}    promql_expr_test:\n${wanted.map((name) => expected(name, fires)).join('')}`;
  const folder = temporaryFolder(t);
  const file = join(folder, 'rules-test.yml');
  copyFileSync(join(FOLDER, 'alerts.yml'), join(folder, 'alerts.yml'));
  const text = `rule_files: [alerts.yml]\nevaluation_interval: 1m\ntests:\n${group(quiet, false)}${group(loud, true)}`;
  writeFileSync(file, text);
  const tested = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
  t.is(tested.status, 0, tested.stdout + tested.stderr);
});

withProgram('prometheus', 'a real Prometheus scrapes the private port and answers what it saw', async (t) => {
  const node = await startNode(t);
  for (let n = 0; n < 7; n += 1) node.requests.count('token', 'POST', 200, 3);
  const folder = temporaryFolder(t);
  const listen = `127.0.0.1:${await freePort()}`;
  const config = read('prometheus.yml')
    .replace('scrape_interval: 15s', 'scrape_interval: 1s')
    .replace('127.0.0.1:9464', `127.0.0.1:${node.port.port}`);
  copyFileSync(join(FOLDER, 'alerts.yml'), join(folder, 'alerts.yml'));
  writeFileSync(join(folder, 'prometheus.yml'), config);
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${listen}`,
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  );
  t.teardown(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  });
  const ask = async (query: string): Promise<string | undefined> => {
    const answer = await fetch(`http://${listen}/api/v1/query?query=${encodeURIComponent(query)}`).catch(
      () => undefined,
    );
    if (answer?.status !== 200) return undefined;
    const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
    return data.result[0]?.value[1];
  };
  let seen: string | undefined;
  for (let n = 0; n < 60 && seen === undefined; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    seen = await ask('tongban_http_requests_total{job="tongban",route="token"}');
  }
  t.is(seen, '7');
  t.is(await ask('up{job="tongban"}'), '1');
  t.is(await ask('max(tongban_readiness)'), '0');
  for (const { title, targets = [] } of dashboard.panels)
    for (const { expr } of targets) {
      const query = expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*');
      const answer = await fetch(`http://${listen}/api/v1/query?query=${encodeURIComponent(query)}`);
      t.is(answer.status, 200, `${title}: ${expr}`);
    }
});
