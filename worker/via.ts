/** `Via`: how the gateway says that a message has been through it, and notices one that has been before (RFC 9110 section 7.6.3). */

/** The gateway's own member of the list. All is HTTP/1.1 to a Worker. */
export function viaOf(name: string): string {
  return `1.1 ${name}`;
}

/** Whether a request has been through the gateway of this name, in lower case, already. */
export function hasPassed(via: string, name: string): boolean {
  const text = via.toLowerCase();
  // Comments may hold anything, also what looks like a member.
  return (
    text.includes(name) &&
    withoutComments(text)
      .split(",")
      .some((member) => member.trim().split(/[ \t]+/)[1] === name)
  );
}

function withoutComments(text: string): string {
  return text.replace(/\([^()]*\)/g, " ");
}
