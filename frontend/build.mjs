// Bundles the pages of src/ and uPlot into the files that the Python package carries: `npm ci && npm run build`.
import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";

// A page is a script and a style of one name.
const PAGES = ["compare", "flow", "inspect", "live", "run"];

const target = new URL("../src/loopcell/insight/page/", import.meta.url).pathname;
const options = { bundle: true, minify: true, target: ["chrome103", "firefox113", "safari16.4"], charset: "utf8" };

for (const page of PAGES) {
  await build({ ...options, entryPoints: [`src/${page}.js`], outfile: `${target}${page}.js`, format: "iife" });
  await build({ ...options, entryPoints: [`src/${page}.css`], outfile: `${target}${page}.css` });
}
await writeFile(`${target}uPlot-LICENSE.txt`, await readFile("node_modules/uplot/LICENSE"));
