import test from 'ava';
import { runCapacity } from '../src/commands/capacity.ts';
import { MEASURED } from '../src/commands/capacity-costs.ts';
import { planCapacity, USUAL_DEMAND, USUAL_MACHINES } from '../src/commands/capacity-plan.ts';

async function capacity(...args: readonly string[]) {
  let [stdout, stderr] = ['', ''];
  const code = await runCapacity(args, {
    stdout: {
      write: (text: string) => {
        stdout += text;
      },
    },
    stderr: {
      write: (text: string) => {
        stderr += text;
      },
    },
  });
  return { code, stdout, stderr };
}

const planOf = (
  words: Partial<typeof USUAL_DEMAND> & { readonly people: number; readonly signInsPerSecond?: number },
) => planCapacity({ ...USUAL_DEMAND, ...words }, USUAL_MACHINES, MEASURED);

test('the busiest second follows from people, their habits and the peak', (t) => {
  const plan = planOf({ people: 86_400_000, activeShare: 0.1, signInsEach: 1, peakFactor: 10 });
  t.is(Math.round(plan.signInsPerSecond), 1000);
  const given = planOf({
    people: 86_400_000,
    activeShare: 0.1,
    signInsEach: 1,
    peakFactor: 10,
    signInsPerSecond: 5000,
  });
  t.is(given.signInsPerSecond, 5000);
  t.is(Math.round(given.ledgerBytesAYear / plan.ledgerBytesAYear), 5, 'what a year leaves follows from the same day');
});

test('cores of nodes are processor time over what a core may be busy', (t) => {
  const alone = { people: 1000, ssoPerSignIn: 0, refreshesPerSignIn: 0, userinfoPerSignIn: 0, signInsPerSecond: 100 };
  const plan = planOf(alone);
  const busy = ((MEASURED.signIn.nodeMicroseconds + MEASURED.hashMicroseconds) * 100) / 1_000_000;
  t.is(plan.nodeCores.toFixed(6), (busy / USUAL_MACHINES.utilization).toFixed(6));
  t.true(planOf({ ...alone, ssoPerSignIn: 1 }).nodeCores > plan.nodeCores);
});

test('there is a machine to spare, and never only one', (t) => {
  t.is(planOf({ people: 1000 }).nodeMachines, 2);
  const plan = planOf({ people: 100_000_000 });
  t.is(plan.nodeMachines, Math.ceil(plan.nodeCores / USUAL_MACHINES.coresEach) + 1);
});

test('what one of its kind cannot carry is said', (t) => {
  t.deepEqual(planOf({ people: 1_000_000 }).warnings, []);
  t.regex(
    planOf({ people: 1_000_000, signInsPerSecond: 100_000 }).warnings.join('\n'),
    /PostgreSQL[\s\S]*sequencer[\s\S]*Redis/,
  );
});

test('the calculator prints one column a size, and JSON where it is asked to', async (t) => {
  const { code, stdout } = await capacity();
  t.is(code, 0);
  t.regex(stdout, /^people +1,000,000 +10,000,000 +50,000,000 +100,000,000$/m);
  const one = JSON.parse((await capacity('--people', '30000000', '--json')).stdout) as {
    plan: { nodeMachines: number };
  }[];
  t.is(one.length, 1);
  t.true(one[0]!.plan.nodeMachines >= 2);
});

test('what is not a figure is refused with its name and the usage', async (t) => {
  for (const args of [
    ['--people', 'many'],
    ['--people', '-1'],
    ['--active-share', '2'],
    ['--cores-each', '1.5'],
    ['--what', '1'],
  ]) {
    const { code, stdout, stderr } = await capacity(...args);
    t.is(code, 2, args.join(' '));
    t.is(stdout, '');
    t.true(stderr.includes(args[0]!) && stderr.includes('Usage: tongban capacity'), stderr);
  }
});
