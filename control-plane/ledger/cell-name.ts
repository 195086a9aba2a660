/** Names of the cells' Durable Objects. */

/** Name of a cell's object. */
export function cellName(cell: number): string {
  return `cell-${cell}`;
}

/** The cell in an object's name; throws for what is not the name of one of so many cells. */
export function cellOfName(name: string | undefined, cells: number): number {
  const cell = Number(/^cell-(\d+)$/.exec(name ?? "")?.[1]);
  if (!Number.isInteger(cell) || cell >= cells) throw new Error(`not the name of a cell: ${name ?? "unnamed object"}`);
  return cell;
}
