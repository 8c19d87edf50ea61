import { describe, expect, test } from "vitest";
import { usePythonArena } from "./arena.ts";

const arena = usePythonArena({
	limits: {
		maxCpuTimeMs: 700,
		maxMemoryBytes: 48 * 1024 * 1024,
		maxHostCalls: 2_000,
		maxPendingCalls: 100,
		maxLogBytes: 100_000,
	},
});

const memory = ["memory-exceeded"];
const time = ["cpu-time-exceeded", "wall-time-exceeded"];

test.each([
	["a str", "'x' * 10**9", memory],
	["bytes", "bytes(10**9)", memory],
	["a bytearray that doubles", "x = bytearray(b'x')\nwhile True: x += bytes(x)", memory],
	["a list of lists", "x = []\nwhile True: x.append([0] * 1000)", memory],
	["an int's power", "10 ** 10 ** 8", [...memory, ...time]],
	[
		"a decimal",
		"import decimal\nc = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)\nc.divide(1, 3)",
		[...memory, ...time],
	],
	["a format", "'%1000000000d' % 1", [...memory, "script-error"]],
	["a join", "','.join(['x' * 10**6] * 10**3)", memory],
	[
		"a zip bomb",
		"import zlib\nzlib.decompress(zlib.compress(bytes(30_000_000)) , bufsize=1)\nx = [zlib.decompress(zlib.compress(bytes(20_000_000))) for _ in range(10)]",
		memory,
	],
	[
		"a zstd bomb",
		"from compression import zstd\nx = zstd.decompress(zstd.compress(bytes(1_000_000)) * 200)",
		[...memory, ...time],
	],
	[
		"a billion laughs",
		"import xml.etree.ElementTree as e\ne.fromstring('<!DOCTYPE a [<!ENTITY a \"' + 'x' * 1000 + '\">' + ''.join(f'<!ENTITY {chr(98 + i)} \"' + f'&{chr(97 + i)};' * 10 + '\">' for i in range(9)) + ']><a>&j;</a>')",
		[...memory, ...time, "script-error"],
	],
	[
		"a database",
		"import sqlite3\nd = sqlite3.connect(':memory:')\nd.execute('create table t (x)')\nwhile True: d.execute('insert into t values (zeroblob(1000000))')",
		[...memory, "script-error"],
	],
	["a file", "f = open('/tmp/x', 'wb')\nwhile True: f.write(bytes(1_000_000))", ["script-error"]],
	["many descriptors", "x = [open('/dev/null') for _ in range(10**6)]", ["script-error", ...memory]],
	["a file that is mostly holes", "import os\nf = open('/tmp/x', 'wb')\nf.truncate(2**40)", ["script-error"]],
	[
		"ignored MemoryErrors",
		"x = []\nwhile True:\n  try: x.append('x' * 10**6)\n  except MemoryError: pass\n  try: y = [0] * 10**7\n  except MemoryError: pass",
		[...time, ...memory],
	],
])("memory filled by %s", async (_, deed, codes) => {
	const { error } = await arena.run(deed);
	expect(codes).toContain(error?.code);
	expect(error?.message).not.toMatch(/worker/);
});

test("memory filled by many files", async () => {
	// Time for all that there may be, on a machine that has other things to do.
	const limits = { maxCpuTimeMs: 20_000 };
	const { error } = await arena.run("for i in range(10**6): open(f'/tmp/{i}', 'w').close()", { limits });
	expect(error).toMatchObject({ code: "script-error", message: expect.stringContaining("No space left") });
});

test.each([
	["a regular expression", "import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')"],
	["an iterator in C", "sum(__import__('itertools').repeat(0))"],
	[
		"a query",
		"import sqlite3\nsqlite3.connect(':memory:').execute('with recursive t(x) as (select 1 union all select x + 1 from t) select max(x) from t').fetchall()",
	],
	["a hash", "import hashlib\nx = bytes(10**6)\nwhile True: hashlib.sha512(x)"],
])("processor time wasted by %s", async (_, deed) => {
	const { status, error } = await arena.run(deed, { limits: { maxCpuTimeMs: 80 } });
	expect({ status, code: error?.code }).toEqual({ status: "timed-out", code: "cpu-time-exceeded" });
});

test.each([
	["time.sleep", "import time\ntime.sleep(10**8)"],
	["asyncio.sleep", "import asyncio\nasyncio.run(asyncio.sleep(10**8))"],
	[
		"a shield of all tasks",
		"import asyncio\nasync def f():\n  while True:\n    try: await asyncio.shield(asyncio.sleep(10**6))\n    except BaseException: pass\nasyncio.run(f())",
	],
	["a wait for one call", "import _cronium\n_cronium.call(1000, '[100000000]', None)\n_cronium.wait(True)"],
	["sleeping in pieces", "import time\nwhile True:\n  try: time.sleep(0.01)\n  except BaseException: pass"],
	["sleep at exit", "import time, atexit\natexit.register(time.sleep, 10**8)"],
])("waiting without an end in %s", async (_, deed) => {
	const { status, error } = await arena.run(deed, { limits: { maxWallTimeMs: 120 } });
	expect({ status, code: error?.code }).toEqual({ status: "timed-out", code: "wall-time-exceeded" });
});

test.each([
	[
		"an answer when no call is pending",
		"import _cronium\nassert _cronium.wait(True) is None\nraise SystemExit(4)",
		"script-error",
	],
	["a lock that it has", "import threading\nx = threading.Lock()\nx.acquire()\nx.acquire()", "never-settled"],
	["a queue that nobody fills", "import queue\nqueue.Queue().get()", "never-settled"],
	[
		"a future that nobody sets",
		"import asyncio\nasync def f(): await asyncio.get_running_loop().create_future()\nasyncio.run(f())",
		"never-settled",
	],
	["standard input", "import sys\nassert sys.stdin.read() == '' and input()", "script-error"],
])("who waits for %s is told, or timed out", async (_, deed, code) => {
	const { error } = await arena.run(deed, { limits: { maxWallTimeMs: 800, maxCpuTimeMs: 200 } });
	expect([code, "cpu-time-exceeded", "wall-time-exceeded"]).toContain(error?.code);
	expect(error?.message).not.toMatch(/worker/);
});

describe("floods", () => {
	test.each([
		["print", "while True: print('x' * 1000)"],
		["an endless line", "import os\nwhile True: os.write(1, b'x' * 1_000_000)"],
		["standard error", "import sys\nwhile True: sys.stderr.write('\\n' * 10_000)"],
	])("%s: the log keeps what it may, and the run goes on until its time is over", async (_, deed) => {
		const { status, error, usage } = await arena.run(deed, { limits: { maxCpuTimeMs: 120 } });
		expect({ status, code: error?.code }).toEqual({ status: "timed-out", code: "cpu-time-exceeded" });
		expect(usage.logBytes).toBeLessThanOrEqual(100_000);
	});

	test.each([
		["calls", "while True: _cronium.call(9, '[]', None)", "host-calls-exceeded"],
		[
			"calls in an except",
			"while True:\n  try: _cronium.call(9, '[]', None)\n  except BaseException: pass",
			"host-calls-exceeded",
		],
		["logs", "import logging\nwhile True: logging.error('x' * 100)", "host-calls-exceeded"],
		["sleeps that nobody awaits", "for _ in range(10**6): _cronium.call(1000, '[1000000]', None)", "pending-calls-exceeded"],
		["waits", "while True: _cronium.wait(True); _cronium.wait(False)", "cpu-time-exceeded"],
		["prints without the file system", "while True: _cronium.call(1002, '[\"stdout\"]', 'x' * 10_000)", "cpu-time-exceeded"],
		["outputs", "for i in range(10**6): _cronium.call(1, '[]', '\"' + 'x' * 1000 + '\"')", "host-calls-exceeded"],
	])("of %s end with a code", async (_, deed, code) => {
		const { error } = await arena.run(`import _cronium\n${deed}`, { limits: { maxCpuTimeMs: 250, maxWallTimeMs: 15_000 } });
		expect([code, "cpu-time-exceeded", "pending-calls-exceeded"]).toContain(error?.code);
	});

	test("parameters and bodies larger than what is allowed are refused, each by its limit", async () => {
		const said = await arena.look(
			`
import _cronium, json
large = "x" * 9_000_000
codes = []
for given in ((2, large, None), (2, json.dumps([large]), None), (4, '["k"]', json.dumps(large)), (1, "[]", json.dumps(large)), (1000, large, None), (1004, "[65537]", None), (1003, json.dumps([large, "GET", [], "follow"]), None), (2, "[" * 100_000, None), (4, '["k"]', "[" * 200 + "]" * 200), (11, json.dumps(["info", large]), None)):
    answer = _cronium.call(*given)
    codes.append(json.loads(answer[1:])["code"] if isinstance(answer, str) and answer[:1] == "!" else answer)
print(json.dumps(codes))`,
			{ limits: { maxMemoryBytes: 256 * 1024 * 1024, maxCpuTimeMs: 5_000 } },
		);
		expect(said).toEqual([
			"too-large",
			"too-large",
			"too-large",
			"too-large",
			"too-large",
			"invalid",
			"too-large",
			"invalid",
			"invalid",
			"too-large",
		]);
	});
});
