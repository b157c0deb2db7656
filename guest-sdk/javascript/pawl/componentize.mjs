// Makes the component: `pawl function build` calls this with the folder of the contract, the world, and the file to write.
//
// Everything that componentize-js can leave out of WASI is left out: what a rotator has is what pawl.toml asks for.

import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { componentize } from "@bytecodealliance/componentize-js";

const [witPath, worldName, file] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: fileURLToPath(new URL("steps.js", import.meta.url)),
  witPath,
  worldName,
  disableFeatures: ["random", "stdio", "clocks", "http", "fetch-event"],
});
await writeFile(file, component);
