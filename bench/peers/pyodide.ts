import { loadPyodide } from "pyodide";

/** The helpers of a run, in JSON texts: functions of JavaScript that answer at once. */
export interface ShippedHelpers {
	get_input(): string;
	get_variable(key: string): string;
	set_output(value: string): void;
}

/** Pyodide as it is shipped: its JavaScript around it, one interpreter for all scripts. No sandbox: a script reaches all of Node. */
export interface ShippedPyodide {
	/** Runs a script in a namespace of its own. What the one before has left elsewhere stays. */
	run(source: string, helpers: ShippedHelpers): Promise<void>;
}

const helpersModule = `
import json
import sys
import types
import _helpers

cronium = types.ModuleType("cronium")
cronium.get_input = lambda: json.loads(_helpers.get_input())
cronium.get_variable = lambda key: json.loads(_helpers.get_variable(key))
cronium.set_output = lambda value: _helpers.set_output(json.dumps(value))
sys.modules["cronium"] = cronium
`;

/** Loads it, as every process has to. */
export async function loadAsShipped(): Promise<ShippedPyodide> {
	const pyodide = await loadPyodide();
	let current: ShippedHelpers | undefined;
	const helpers = (): ShippedHelpers => {
		if (!current) throw new Error("No script runs.");
		return current;
	};
	pyodide.registerJsModule("_helpers", {
		get_input: () => helpers().get_input(),
		get_variable: (key) => helpers().get_variable(key),
		set_output: (value) => helpers().set_output(value),
	} satisfies ShippedHelpers);
	pyodide.runPython(helpersModule);
	return {
		run: async (source, given) => {
			current = given;
			const globals = pyodide.toPy({ __name__: "__main__" });
			try {
				await pyodide.runPythonAsync(source, { globals });
			} finally {
				globals.destroy();
				current = undefined;
			}
		},
	};
}
