import { pathToFileURL } from "node:url";

// The first run of a host: `node first-python-run.ts LIBRARY DATA`, a data directory. Prints the milliseconds from createHost to the outcome.
const [library = "", dataDirectory = ""] = process.argv.slice(2);
const { createHost } = (await import(pathToFileURL(library).href)) as typeof import("../../host/index.ts");
const started = performance.now();
await using host = await createHost({ dataDirectory });
const { output, error } = await host.run({
	script: { name: "answer.py", source: "import cronium\ncronium.set_output(6 * 7)\n" },
});
const took = performance.now() - started;
if (output !== 42) throw new Error(`The run answered ${JSON.stringify(output)}, not 42: ${error?.message}`);
console.log(JSON.stringify(took));
