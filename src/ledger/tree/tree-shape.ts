/**
 * The shape of the tree of RFC 6962 2.1: which leaves stand under which node. No hashes here. Leaves are counted from 0, ranges
 * end before `end`. Plain numbers with division instead of bit operations, which in JavaScript end at 32 bits.
 */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A node beside the way to the root, and on which side of it. */
export interface Sibling extends Range {
  readonly side: 'left' | 'right';
}

/** A complete subtree: 2^height leaves, the `position`-th of its height from the left. */
export interface Subtree {
  readonly height: number;
  readonly position: number;
}

/** A size or a sequence number: whole, not negative, exact in a JavaScript number and in JSON. */
export const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** Where a tree of `size` leaves, 2 or more, divides: the largest power of two that is smaller. */
function split(size: number): number {
  let width = 1;
  while (width * 2 < size) width *= 2;
  return width;
}

/** The complete subtrees a range consists of, left to right, largest first. The range is a node of the tree, or all of it. */
export function fullSubtrees({ start, end }: Range): readonly Subtree[] {
  const subtrees: Subtree[] = [];
  let at = start;
  while (at < end) {
    let [width, height] = [1, 0];
    while (width * 2 <= end - at) {
      width *= 2;
      height += 1;
    }
    subtrees.push({ height, position: at / width });
    at += width;
  }
  return subtrees;
}

/** The siblings met on the way from leaf `index` up to the root of a tree of `size` leaves, more than `index`. */
export function inclusionPath(index: number, size: number): readonly Sibling[] {
  const path: Sibling[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + split(end - start);
    if (index < middle) {
      path.push({ start: middle, end, side: 'right' });
      end = middle;
    } else {
      path.push({ start, end: middle, side: 'left' });
      start = middle;
    }
  }
  return path.reverse();
}

/**
 * How a tree of `oldSize` leaves, 1 or more, lies within one of `newSize`: the node `shared` that ends with the old tree's last
 * leaf and stands in both, and the siblings from there up to the new root. Left siblings stand in both trees as well.
 */
export function consistencyPath(
  oldSize: number,
  newSize: number,
): { readonly shared: Range; readonly path: readonly Sibling[] } {
  const path: Sibling[] = [];
  let [start, end] = [0, newSize];
  while (end !== oldSize) {
    const middle = start + split(end - start);
    if (oldSize <= middle) {
      path.push({ start: middle, end, side: 'right' });
      end = middle;
    } else {
      path.push({ start, end: middle, side: 'left' });
      start = middle;
    }
  }
  return { shared: { start, end }, path: path.reverse() };
}
