/**
 * Ends one after the other, whatever became of those before, and throws the first fault when all have ended: one that went on would
 * keep the process alive that was told to go (X7).
 */
export async function endInTurn(endings: readonly (() => unknown)[]): Promise<void> {
  const faults: unknown[] = [];
  for (const end of endings) {
    try {
      await end();
    } catch (error) {
      faults.push(error);
    }
  }
  if (faults.length > 0) throw faults[0];
}
