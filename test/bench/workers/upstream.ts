/** The API behind the gateway and the bare pass-through Worker: answers at once, so that what stands before it is measured. */
export default {
  fetch: (): Response => Response.json({ orders: [{ id: "1", item: "Drawbridge chain", quantity: 2 }] }),
} satisfies ExportedHandler;
