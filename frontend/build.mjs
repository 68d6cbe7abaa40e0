// Bundles src/ and uPlot into two files that the Python package carries: `npm ci && npm run build`.
import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";

const target = new URL("../src/loopcell/insight/page/", import.meta.url).pathname;
const options = { bundle: true, minify: true, target: ["chrome103", "firefox113", "safari16.4"], charset: "utf8" };

await build({ ...options, entryPoints: ["src/inspect.js"], outfile: `${target}inspect.js`, format: "iife" });
await build({ ...options, entryPoints: ["src/inspect.css"], outfile: `${target}inspect.css` });
await writeFile(`${target}uPlot-LICENSE.txt`, await readFile("node_modules/uplot/LICENSE"));
