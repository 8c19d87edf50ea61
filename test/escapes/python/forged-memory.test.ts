import { describe, expect, test } from "vitest";
import { readReviewed } from "../../../host/sandbox/python/parts.ts";
import { forgery, usePythonArena } from "./arena.ts";
import { readModule } from "./wasm-reader.ts";

const arena = usePythonArena({ limits: { maxWallTimeMs: 25_000, maxCpuTimeMs: 10_000 } });
const { tableNumbers, addresses } = readModule(readReviewed("pyodide/pyodide.asm.wasm"));
const files = forgery;

const numberOf = (name: string): number => {
	const number = tableNumbers.get(name);
	if (number === undefined) throw new Error(`${name} is not in the function table.`);
	return number;
};
const addressOf = (name: string): number => {
	const address = addresses.get(name);
	if (address === undefined) throw new Error(`${name} is no variable of the module.`);
	return address;
};

test("a script can read and write all of its own memory, which is what the tests here begin with", async () => {
	const said = await arena.look(
		`
import forge, json
secret = bytes([1, 2, 3, 4]) * 8
at = forge.address_of(secret)
forge.memory[at] = 9
print(json.dumps([secret[:4].hex(), len(forge.find(bytes([9, 2, 3, 4]) + secret[4:])) > 0, forge.word(id(secret) + 4) == id(bytes)]))`,
		{ files },
	);
	expect(said).toEqual(["09020304", true, true]);
});

/** Puts a module that the engine has taken out of the table of built-in ones back into it: its function is still there. */
const bringBack = (name: string): string => `
import forge, sys, json, importlib.machinery, _imp
for at in forge.find((${numberOf("PyInit__statistics")}).to_bytes(4, "little")):
    name = forge.word(at - 4)
    if at % 4 == 0 and name < forge.SIZE - 12 and forge.memory[name : name + 12] == b"_statistics\\0":
        forge.set_word(at - 4, forge.address_of(b"${name}\\0")); forge.set_word(at, ${numberOf(`PyInit_${name}`)})
sys.meta_path[:] = sys.meta_path[1:]
module = _imp.create_builtin(importlib.machinery.ModuleSpec("${name}", importlib.machinery.BuiltinImporter))
if "${name}" != "_ctypes": _imp.exec_builtin(module)
sys.modules["${name}"] = module
print("back", module)
`;

const denied = (name: RegExp) => ({
	status: "failed",
	error: { code: "denied", message: expect.stringMatching(name) },
});

test.each([
	["ctypes is initialised", "_ctypes", "_imp.exec_builtin(module)", denied(/ffi_closure_alloc_js/)],
	["ctypes is imported", "_ctypes", "import ctypes; ctypes.CDLL(None).system(b'id')", { status: "failed" }],
	["ctypes calls a function, uninitialised", "_ctypes", "module.call_function(2123, (8,))", { status: "failed" }],
	["ctypes opens a library, uninitialised", "_ctypes", "module.dlopen('/lib/x.so', 2)", { status: "failed" }],
	[
		"a process is forked",
		"_posixsubprocess",
		"module.fork_exec([b'id'], [b'/bin/id'], True, (), None, None, -1, -1, -1, -1, -1, -1, -1, -1, True, False, -1, None, None, None, -1, None)",
		{ status: "failed" },
	],
	["a terminal is set", "termios", "module.tcgetattr(1)", { status: "failed" }],
	["another interpreter is debugged", "_remote_debugging", "module.RemoteUnwinder(42)", { status: "failed" }],
	["CPython's tests of itself crash it", "_testcapi", "module.crash_no_current_thread()", { status: "failed" }],
	[
		"CPython's tests of itself write anywhere",
		"_testinternalcapi",
		"module.get_configs()",
		{ status: expect.stringMatching(/failed|succeeded/) },
	],
])("a module that was taken out is brought back by its number, and %s", async (_, name, deed, expected) => {
	const outcome = await arena.run(`${bringBack(name)}\n${deed}`, { files });
	expect(outcome.logs[0]?.message).toBe(`back <module '${name}'>`);
	expect(outcome).toMatchObject(expected);
	expect(outcome.error?.message ?? "").not.toMatch(/worker/);
});

test.each([
	["the bridge to JavaScript is initialised", "PyInit__pyodide_core"],
	["the bridge to JavaScript is exported", "pyodide_export"],
	["a proxy of JavaScript is asked for an attribute", "JsProxy_GetAttr"],
	["an array of JavaScript is read", "JsArray_sq_item"],
	["a map of JavaScript is updated", "JsMap_update"],
	["a proxy is iterated", "JsProxy_IterNext"],
])("%s by the number of its function: the run ends there", async (_, name) => {
	const { status, error } = await arena.run(
		`import forge\nforge.forge_function()(${numberOf(name)}, forge.address_of(bytes(256)))`,
		{
			files,
		},
	);
	expect(status).toBe("failed");
	expect(["denied", "internal", "script-error", "import-error"]).toContain(error?.code);
	expect(error?.message).not.toMatch(/worker/);
});

test("a sample of all numbers of the function table, with hostile arguments, harms nobody but its own run", async () => {
	const codes = new Set<string | undefined>();
	for (let first = 1; first < 8_737; first += 794) {
		const { error } = await arena.host.run({
			script: {
				name: "attack.py",
				source: `
import forge
call = forge.forge_function()
for number in range(${first}, ${first} + 794, 61):
    for first in (0, 1, 0x7fffffff, 0xffffffff, forge.address_of(b"/etc/passwd\\0"), id(forge)):
        try: call(number, first)
        except Exception: pass`,
			},
			files,
			limits: { maxWallTimeMs: 200 },
		});
		expect(error?.message ?? "").not.toMatch(/worker/);
		codes.add(error?.code);
	}
	expect(codes.has("denied") || codes.has("internal")).toBe(true);
	await arena.run("pass");
});

describe("what the glue reads of a guest", () => {
	test("is no text that the memory has no room for, nor one that is longer than the host takes", async () => {
		const said = await arena.look(
			`
import forge, _cronium, json
said = []
for length, address in ((0x7fffffff, 16), (0xffffffff, 0x7ffffff0), (64 * 2**20, 16), (4096, forge.SIZE - 8), (100, 0xfffffff0)):
    text = "é" * 10
    _cronium.call(2, text, None)
    # PyCompactUnicodeObject: the length and the address of its UTF-8, kept since the call.
    forge.set_word(id(text) + 20, length); forge.set_word(id(text) + 24, address)
    try: said.append(json.loads(_cronium.call(2, text, None)[1:])["code"])
    except ValueError as error: said.append(str(error))
    forge.set_word(id(text) + 20, 20); forge.set_word(id(text) + 24, 0)
print(json.dumps(said))`,
			{ files },
		);
		const tooLong = "a text for the host has at most 67108864 bytes";
		expect(said).toEqual([tooLong, tooLong, "too-large", "invalid", "invalid"]);
	});

	test("are objects that are none", async () => {
		for (const address of [0, 4, 0x7fff_fff0, 0xffff_fff0]) {
			const { status, error } = await arena.run(
				`
import forge, _cronium
forged = forge.object_at(${address})
for given in ((forged, "[]", None), (2, forged, None), (4, "[]", forged)): _cronium.call(*given)
_cronium.wait(forged)`,
				{ files },
			);
			expect(status).toBe("failed");
			expect(["internal", "script-error"]).toContain(error?.code);
			expect(error?.message).not.toMatch(/worker/);
		}
	});

	test("are the methods of the host with other functions behind them", async () => {
		// The channel's functions are the last ones of the table; whatever calls them gets what a script gets.
		for (let number = 8_733; number < 8_738; number++) {
			const { error } = await arena.run(
				`import forge\ncall = forge.forge_function()\nfor first in (0, 1, 0x7fffffff, 0xffffffff): call(${number}, first, 1)`,
				{ files },
			);
			expect(error?.message ?? "").not.toMatch(/worker/);
		}
	});
});

test.each(Array.from({ length: 5 }, (_, seed) => seed))(
	"a heap full of random words, %i, breaks the interpreter and nothing else",
	async (seed) => {
		const { error } = await arena.run(
			`
import forge, random, _cronium
random.seed(${seed})
start = (0, 3_000_000, 4_100_000, forge.SIZE // 2, ${addressOf("_PyRuntime")})[${seed} % 5]
for _ in range(2_000):
    forge.set_word(start + 4 * random.randrange((forge.SIZE - start) // 4 if ${seed} % 5 < 4 else 4000), random.choice([0, 1, 0x7fffffff, 0xffffffff, 0x80000000, random.getrandbits(32), random.randrange(forge.SIZE)]))
    if _ % 200 == 0:
        for operation in (0, 2, 3, 6, 10, 1000, 1001, 1004): _cronium.call(operation, "[16]", "x" * 20_000)
        _cronium.call(2, '["' + "k" * 30_000 + '"]', None); _cronium.wait(False); _cronium.seed(); bytearray(100_000); print(end="")`,
			{ files, limits: { maxWallTimeMs: 1_500 } },
		);
		expect(error?.message ?? "").not.toMatch(/worker/);
	},
);

test.each([
	["all of it", "forge.memory[1024:forge.SIZE] = b'\\xff' * (forge.SIZE - 1024)"],
	["its first half with zeros", "forge.memory[0:forge.SIZE // 2] = bytes(forge.SIZE // 2)"],
	["None", `forge.memory[${addressOf("_Py_NoneStruct")}:${addressOf("_Py_NoneStruct")} + 16] = bytes(16); x = None; del x`],
	[
		"the runtime's state",
		`forge.memory[${addressOf("_PyRuntime")}:${addressOf("_PyRuntime")} + 4000] = bytes(4000); list(map(len, ["a"]))`,
	],
	[
		"the number of the trampoline",
		`
for at in range(${addressOf("_PyRuntime")}, ${addressOf("_PyRuntime")} + 300_000, 4):
    if forge.word(at) == 8733: forge.set_word(at, 0)
list(map(len, ["a"])); "a".upper(); [].sort()`,
	],
	["what is behind its end", "forge.memory[0x7ffffff0] = 1"],
	["a type", "forge.memory[id(str):id(str) + 200] = bytes(200); 'a' + str(1)"],
])("who overwrites %s has broken his own run", async (_, deed) => {
	const { status, error } = await arena.run(`import forge\n${deed}\nprint([str(x) for x in range(1000)])`, {
		files,
		limits: { maxCpuTimeMs: 500 },
	});
	expect(status).toMatch(/failed|timed-out/);
	expect(error?.message).not.toMatch(/worker/);
});

test("a loop that has switched off the interpreter's look at the clock is ended from outside", async () => {
	const { status, error } = await arena.run(
		`
import forge
forge.set_word(${addressOf("Py_EMSCRIPTEN_SIGNAL_HANDLING")}, 0)
forge.set_word(${addressOf("_Py_emscripten_signal_clock")}, 0x7fffffff)
while True: pass`,
		{ files, limits: { maxCpuTimeMs: 100 } },
	);
	expect({ status, code: error?.code }).toEqual({ status: "timed-out", code: "cpu-time-exceeded" });
});

/** The secret is put together by the run that has it, so that only that run's memory has ever held it. */
const secret = "bytes(c ^ 1 for c in bytes.fromhex(INPUT)).decode()".replace("INPUT", "json.loads(input_text)");
const plain = "SEC-1f0e9d8c7b6a5-RET";
const hidden = Buffer.from(Buffer.from(plain).map((byte) => byte ^ 1)).toString("hex");
const keeper = (end: string): string => `
import _cronium, builtins, json, os, sys, tempfile
input_text = _cronium.call(0, "[]", None)
secret = ${secret}
builtins.kept = [secret + str(i) for i in range(100)]; sys.intern(secret); os.environ["SECRET"] = secret; globals()[secret] = secret.encode()
open("/tmp/" + secret, "w").write(secret * 100); os.mkdir("/script/" + secret); os.chdir("/script/" + secret)
exec(compile(f"def {secret.replace('-', '_')}(): return {secret!r}", secret, "exec"))
_cronium.call(4, json.dumps(["k"]), json.dumps(secret * 500)); _cronium.call(2, '["k"]', None)
for size in (1, 10, 1000, 100_000): kept.append(bytearray(secret.encode() * size)); freed = secret * size; del freed
sys.stdout.write(secret); sys.stderr.write(secret * 10)
${end}`;
/** Looks for the first half of the secret, and compares what follows without ever having it. */
const seeker = `
import forge, json
half = forge.find(bytes([83, 69, 67, 45, 49, 102, 48, 101]))
rest = bytes.fromhex("${hidden}")[8:]
print(json.dumps(len([at for at in half if all(forge.memory[at + 8 + i] == b ^ 1 for i, b in enumerate(rest))])))`;

test.each([
	["ended well", ""],
	["failed", "1 / 0"],
	["left by os._exit", "os._exit(3)"],
	["aborted", "os.abort()"],
	["was over its processor time", "while True: pass"],
	["was over its memory", "x = []\nwhile True: x.append(bytearray(secret.encode() * 50_000))"],
	["was over its wall time in a sleep", "import time; time.sleep(1_000)"],
	["left calls without an answer", "[_cronium.call(1000, '[100000]', None) for _ in range(50)]"],
	["was ended from outside", `import forge; forge.set_word(${addressOf("Py_EMSCRIPTEN_SIGNAL_HANDLING")}, 0)\nwhile True: pass`],
	["broke its memory", "import forge; forge.memory[4096:8192] = b'\\xff' * 4096; forge.memory[0x7ffffff0]"],
])("nothing of a run that %s is anywhere in the memory of the next one", async (_, end) => {
	const limits = { maxCpuTimeMs: 200, maxWallTimeMs: 700 };
	for (let turn = 0; turn < 2; turn++) {
		await arena.host.run({
			script: { name: "keeper.py", source: keeper(end) },
			input: JSON.stringify(hidden),
			files,
			limits,
			namespace: "keeper",
			arguments: [plain],
		});
		const { logs, error } = await arena.host.run({ script: { name: "seeker.py", source: seeker }, files });
		expect({ error, messages: logs.map(({ message }) => message) }).toEqual({ error: undefined, messages: ["0"] });
	}
	await arena.run("pass");
});

test("the search for a secret finds the one of the run itself", async () => {
	const { logs } = await arena.run(`${keeper("")}\nprint()${seeker}`, {
		files,
		input: JSON.stringify(hidden),
		namespace: "keeper",
	});
	expect(Number(logs.filter(({ source }) => source === "stdout").at(-1)?.message)).toBeGreaterThan(100);
});
