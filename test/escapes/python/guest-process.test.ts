import { expect, test } from "vitest";
import { readReviewed } from "../../../host/sandbox/python/parts.ts";
import { guestProcesses } from "../../sandbox/guest-processes.ts";
import { forgery, usePythonArena } from "./arena.ts";
import { readModule } from "./wasm-reader.ts";

/** One attack of each kind in a guest process, as under `cronium serve`. */
const arena = usePythonArena({ guests: "process", limits: { maxCpuTimeMs: 2_000, maxHostCalls: 1_000, maxLogBytes: 50_000 } });
const { addresses, tableNumbers } = readModule(readReviewed("pyodide/pyodide.asm.wasm"));

test.each([
	["imports a bridge", "import pyodide_js", ["import-error"]],
	["opens files of the host", "open('/proc/self/environ')", ["script-error"]],
	["starts a process", "import os\nos.system('id')", ["script-error"]],
	["opens a socket", "import socket\nsocket.create_connection(('127.0.0.1', 22))", ["script-error"]],
	[
		"writes all over its memory",
		"import forge\nforge.memory[4096:forge.SIZE] = bytes(forge.SIZE - 4096)",
		["internal", "script-error", "memory-exceeded"],
	],
	[
		"calls the bridge by its number",
		`import forge\nforge.forge_function()(${tableNumbers.get("JsProxy_GetAttr")}, 1)`,
		["denied", "internal", "script-error"],
	],
	[
		"switches off the look at the clock",
		`import forge\nforge.set_word(${addresses.get("Py_EMSCRIPTEN_SIGNAL_HANDLING")}, 0)\nwhile True: pass`,
		["cpu-time-exceeded"],
	],
	["catches everything", "while True:\n  try:\n    while True: pass\n  except BaseException: pass", ["cpu-time-exceeded"]],
	["fills its memory", "x = []\nwhile True: x.append(bytes(10**6))", ["memory-exceeded"]],
	["recurses", "x = []\nfor _ in range(10**5): x = [x]\nrepr(x)", ["stack-exceeded"]],
	["aborts", "import os\nos.abort()", ["script-error"]],
	["floods the log", "while True: print('x' * 1000)", ["cpu-time-exceeded"]],
	["floods the host", "import _cronium\nwhile True: _cronium.call(9, '[]', None)", ["host-calls-exceeded", "cpu-time-exceeded"]],
	[
		"waits inside of what the host asks it",
		"import _cronium\nclass A:\n  def __index__(self): return _cronium.wait(True) and 1\n_cronium.call(1000, '[1]', None)\n_cronium.wait(A())",
		["script-error"],
	],
	["sleeps for ever", "import time\ntime.sleep(10**8)", ["wall-time-exceeded"]],
	["answers for the interpreter", "import _cronium_main\n_cronium_main._encode = lambda _: '[' * 10**6", ["script-error"]],
	[
		"hands over 15 MB",
		"import _cronium\nx = _cronium.call(4, '[\"k\"]', 'x' * 15_000_000)\nraise SystemExit(x[:30])",
		["script-error"],
	],
	["reads a pickle that exits", "import pickle\npickle.loads(b'cos\\n_exit\\n(I7\\ntR.')", ["script-error"]],
	["has an error that cannot be shown", "class E(Exception):\n  def __str__(self): raise E\nraise E", ["script-error"]],
])("a script that %s", async (_, source, codes) => {
	const { error } = await arena.run(source, {
		files: forgery,
		limits: { maxCpuTimeMs: 500, maxWallTimeMs: source.includes("sleep") ? 1_000 : 25_000 },
	});
	expect(codes).toContain(error?.code);
	expect(error?.message).not.toMatch(/worker/);
	expect(guestProcesses(process.pid).length).toBeGreaterThan(0);
});
