/** Each number of counters is a text of its own, and prepared once; callers have few numbers. */
const texts = new Map<string, string>();

function textOf(key: string, make: () => string): string {
  let text = texts.get(key);
  if (text === undefined) {
    text = make();
    texts.set(key, text);
  }
  return text;
}

/** The name of what a step returned. */
const of = (step: number): string => String.fromCharCode('a'.charCodeAt(0) + step);
const steps = (count: number): readonly number[] => Array.from({ length: count }, (_, step) => step);

/**
 * One statement of PostgreSQL that takes one from each counter in turn and stops behind the first that is used up: each step waits for what the one
 * before it returned. Parameters: the present time, then for each counter its name, the end of a new window and the most that is allowed. The row
 * has the values as `v0`, `v1` and so on; null where nothing was taken. Rows are locked in the caller's order, which all callers share: places
 * before accounts.
 */
export const takeChain = (count: number): string => textOf(`take:${count}`, () => takeText(count));

function takeText(count: number): string {
  const taken = steps(count).map((step) => {
    const [name, end] = [`$${2 + 3 * step}`, `CAST($${3 + 3 * step} AS BIGINT)`];
    const mostBefore = `CAST($${4 + 3 * (step - 1)} AS BIGINT)`;
    const rows =
      step === 0
        ? `VALUES (${name}, 1, ${end})`
        : `SELECT ${name}, 1, ${end} FROM ${of(step - 1)} WHERE value <= ${mostBefore}`;
    return `${of(step)} AS (INSERT INTO counters (name, value, expires_at) ${rows}
      ON CONFLICT (name) DO UPDATE SET
        value = CASE WHEN counters.expires_at <= $1 THEN 1 ELSE counters.value + 1 END,
        expires_at = CASE WHEN counters.expires_at <= $1 THEN excluded.expires_at ELSE counters.expires_at END
      RETURNING value)`;
  });
  return `WITH ${taken.join(', ')} SELECT ${steps(count)
    .map((step) => `(SELECT value FROM ${of(step)}) AS v${step}`)
    .join(', ')}`;
}

/**
 * One statement of PostgreSQL that gives one back to each of the first counters and removes the others, in that order, as `takeChain` locks them.
 * Parameters: the names, and behind them, where one is given back, the present time.
 */
export const settleChain = (returned: number, cleared: number): string =>
  textOf(`settle:${returned}:${cleared}`, () => settleText(returned, cleared));

function settleText(returned: number, cleared: number): string {
  const now = `$${returned + cleared + 1}`;
  const changes = steps(returned + cleared).map((step) => {
    const which = `name = $${1 + step}${step === 0 ? '' : ` AND (SELECT count(*) FROM ${of(step - 1)}) >= 0`}`;
    const change =
      step < returned
        ? `UPDATE counters SET value = value - 1 WHERE ${which} AND value > 0 AND expires_at > ${now}`
        : `DELETE FROM counters WHERE ${which}`;
    return `${of(step)} AS (${change} RETURNING 1)`;
  });
  return `WITH ${changes.join(', ')} SELECT count(*) FROM ${of(returned + cleared - 1)}`;
}
