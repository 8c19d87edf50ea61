import { loadAsShipped } from "../peers/pyodide.ts";

// The same with pyodide as it is shipped: prints the milliseconds from loading it to the end of a script.
const started = performance.now();
const pyodide = await loadAsShipped();
let output = "";
await pyodide.run("import cronium\ncronium.set_output(6 * 7)\n", {
	get_input: () => "null",
	get_variable: () => "null",
	set_output: (value) => {
		output = value;
	},
});
const took = performance.now() - started;
if (output !== "42") throw new Error(`The run answered ${output}, not 42.`);
console.log(JSON.stringify(took));
