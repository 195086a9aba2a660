/** Whether the Worker runs. */
import { z } from "zod";
import { endpoint, type Section } from "./endpoint.ts";
import { ok } from "./reply.ts";

/** For monitors. */
export const health: Section = {
  title: "Health",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/health",
      operationId: "getHealth",
      summary: "Answers while the Worker runs",
      access: "public",
      replies: { 200: z.object({ status: z.literal("ok") }) },
      handler: async () => ok({ status: "ok" }),
    }),
  ],
};
