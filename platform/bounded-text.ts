/** Reading what somebody else's server sends, as long as it is not more than expected. */

/** A response's body as text (UTF-8). Rejects, and ends the connection, when it is more than so many bytes. */
export async function boundedText({ body }: Response, bytesMax: number): Promise<string> {
  if (!body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
