/** What a command writes, in place of a terminal; `written` grows as it goes on. */
export function writtenBy(): {
  readonly written: { stdout: string; stderr: string };
  readonly stdout: { write(text: string): void };
  readonly stderr: { write(text: string): void };
} {
  const written = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  return { written, stdout: sink('stdout'), stderr: sink('stderr') };
}
