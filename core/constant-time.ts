/** Whether two texts are equal, in a time that depends on the first one's length only: a timing attack learns nothing of where they differ. */
export function equalInConstantTime(presented: string, expected: string): boolean {
  let difference = presented.length ^ expected.length;
  for (let i = 0; i < presented.length; i++) difference |= presented.charCodeAt(i) ^ expected.charCodeAt(i % (expected.length || 1));
  return difference === 0;
}
