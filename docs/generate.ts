/** `npm run docs`: writes the pages that are made from the declarations. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { generatedPages } from "./generated.ts";

for (const [name, text] of Object.entries(generatedPages())) {
  writeFileSync(path.join(import.meta.dirname, name), text);
  console.log(`docs/${name}`);
}
