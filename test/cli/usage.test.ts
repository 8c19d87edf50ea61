import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { limitDefinitions } from "../../host/contract/limits.ts";
import { type CliOptions, cloneLauncher, createDirectory, cronium, projectDirectory } from "./cronium.ts";

const hello = join(projectDirectory, "examples", "hello.js");

describe.concurrent("wrong usage ends with 2, one line on standard error and nothing on standard output", () => {
	test.for<[string, readonly string[], RegExp]>([
		[
			"an unknown command",
			["frobnicate"],
			/There is no command "frobnicate"; there are run, dev, variables, executions, serve, sidecar, agent, agents, bundle, hosts, images, keys, audit, doctor, limits/,
		],
		["a command named like a property of objects", ["constructor"], /There is no command "constructor"/],
		["an unknown command of a group", ["variables", "steal"], /There is no command "steal" in cronium variables/],
		["no script", ["run"], /The script's file is missing/],
		["two scripts", ["run", hello, "b.js"], /"b\.js" is one argument too many/],
		["a script that is not there", ["run", "no-such.ts"], /"no-such\.ts" cannot be read: there is no such file/],
		["a script that is a directory", ["run", projectDirectory.replace(/\/$/, "")], /it is a directory/],
		["an unknown option", ["run", hello, "--inputs", "1"], /There is no option --inputs\. Did you mean --input\?/],
		["an option without its value", ["run", hello, "--input"], /--input needs a value: --input JSON/],
		["an option given twice", ["run", hello, "--input", "1", "--input", "2"], /--input is given more than once/],
		["a flag with a value", ["run", hello, "--json=yes"], /--json takes no value/],
		["an input that is not JSON", ["run", hello, "--input", "{a:1}"], /--input is not JSON: Expected property name/],
		["an input without quotes", ["run", hello, "--input", "hello"], /Text needs quotes of its own: '"hello"'/],
		["an empty input", ["run", hello, "--input", ""], /--input is not JSON: it is empty/],
		[
			"an input file that is not there",
			["run", hello, "--input", "@no-such.json"],
			/--input: no-such\.json cannot be read: there is no such file/,
		],
		["an empty standard input", ["run", hello, "--input", "-"], /--input \(from standard input\) is not JSON: it is empty/],
		["input and event both from standard input", ["run", hello, "--input", "-", "--event", "-"], /cannot both be standard input/],
		["a variable without a value", ["run", hello, "--var", "threshold"], /--var is "threshold"; it must be KEY=JSON/],
		["a variable without a key", ["run", hello, "--var", "=1"], /it must be KEY=JSON/],
		[
			"a variable that is not JSON",
			["run", hello, "--var", "currency=EUR"],
			/--var currency is not JSON: .*Text needs quotes of its own: '"EUR"'/,
		],
		["an event that is no object", ["run", hello, "--event", "[1]"], /--event is not a JSON object/],
		["an event with an unknown field", ["run", hello, "--event", '{"nme":"x"}'], /--event has a field "nme"; there are id, name/],
		["an event with a field of the wrong type", ["run", hello, "--event", '{"name":1}'], /--event: name must be a string/],
		["an unknown engine", ["run", hello, "--engine", "v8"], /--engine is "v8"; it must be quickjs-wasi or quickjs-emscripten/],
		["a bad duration", ["run", hello, "--timeout", "soon"], /--timeout is "soon"; it must be a duration such as/],
		["a bad size", ["run", hello, "--memory", "64"], /--memory is "64"; it must be a size such as/],
		["an unknown limit", ["run", hello, "--limit", "maxFun=1"], /--limit is "maxFun=1"; it must be NAME=VALUE/],
		["a limit of the host", ["run", hello, "--limit", "maxWorkers=1"], /must be NAME=VALUE with a limit of runs/],
		[
			"a limit that is no number",
			["run", hello, "--limit", "maxHostCalls=many"],
			/--limit maxHostCalls is "many"; it must be a whole number/,
		],
		["a root that is not there", ["run", hello, "--root", "/no/such"], /--root is "\/no\/such"; there is no such directory/],
		["a root beside the script", ["run", hello, "--root", "/usr"], /The script is not inside "\/usr"/],
		["an empty data directory", ["run", hello, "--data", ""], /--data is empty/],
		[
			"a value that looks like an option",
			["run", hello, "--input", "--json"],
			/--input is followed by something that looks like an option; write --input=JSON/,
		],
		["a key that is missing", ["variables", "get"], /The key is missing/],
		["a value that is not JSON", ["variables", "set", "a", "b"], /The value is not JSON/],
		["an unknown status", ["executions", "list", "--status", "ok"], /--status is "ok"; it must be created, running/],
		["an id that is missing", ["executions", "show"], /The id of the execution is missing/],
	])("%s", async ([, argv, message]) => {
		const { code, stdout, stderr } = await cronium(argv, { env: { CRONIUM_DATA: "/nowhere/at/all" } });
		expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
		expect(stderr).toMatch(message);
		expect(stderr).toMatch(/^cronium: [^\n]* Try --help\.\n$/);
	});

	test("a file that is not UTF-8", async () => {
		const file = join(createDirectory(), "latin1.json");
		writeFileSync(file, Buffer.from([0x22, 0xe9, 0x22]));
		const { code, stderr } = await cronium(["run", hello, "--input", `@${file}`]);
		expect(code).toBe(2);
		expect(stderr).toMatch(/is not text in UTF-8\. Try --help\.\n$/);
	});

	test("an input that never ends", async () => {
		const { code, stderr } = await cronium(["run", hello, "--input", "@/dev/zero"]);
		expect(code).toBe(2);
		expect(stderr).toContain(`/dev/zero has more than ${limitDefinitions.maxInputBytes.maximum} bytes.`);
	});

	test("control characters in what was typed are escaped", async () => {
		const { code, stderr } = await cronium(["\u001b[2Jrun\u202e"]);
		expect(code).toBe(2);
		expect(stderr).toContain("\\u001b[2Jrun\\u202e");
		expect(stderr).not.toContain("\u001b");
	});
});

describe.concurrent("help", () => {
	test.for<[readonly string[], RegExp]>([
		[[], /cronium <command>[\s\S]*124 +The script ran over its time/],
		[["--help"], /cronium <command>/],
		[["help", "run"], /^cronium run <file>/],
		[["run", "--help"], /--timeout DURATION[\s\S]*Examples\n {2}cronium run/],
		[["run", "no-such.ts", "--nonsense", "-h"], /^cronium run <file>/],
		[["variables"], /variables set <key> <value>/],
		[["variables", "set", "--help"], /--expires-in DURATION[\s\S]*Examples/],
		[["executions", "--help"], /executions journal <id>/],
		[["executions", "journal", "--help"], /Examples/],
		[["limits", "--help"], /Examples/],
	])("cronium %s", async ([argv, text]) => {
		const { code, stdout, stderr } = await cronium(argv);
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		expect(stdout).toMatch(text);
	});

	test("the version is that of the package", async () => {
		const { default: manifest } = await import("../../package.json", { with: { type: "json" } });
		expect(await cronium(["--version"])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: "" });
	});

	test("limits are all in the table and in the JSON", async () => {
		const { stdout } = await cronium(["limits"]);
		for (const name of Object.keys(limitDefinitions)) expect(stdout).toMatch(new RegExp(`^${name} +\\S`, "m"));
		const { stdout: json } = await cronium(["limits", "--json"]);
		expect(JSON.parse(json)).toEqual(limitDefinitions);
	});
});

describe.concurrent("the launcher of a clone", () => {
	const inClone = (argv: readonly string[], options: CliOptions = {}) => cronium(argv, { ...options, launcher: cloneLauncher });
	const oldNode = [
		"--import",
		"data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.1.0'}})",
	];

	test("starts the Node that the clone brings when its own is too old, and says so when that does not help", async () => {
		// The pinned Node gets the same arguments, so it is too old as well: that it says so shows that it was started, once.
		const { code, stdout, stderr } = await inClone(["--version"], { nodeArguments: oldNode });
		expect({ code, stdout, stderr }).toEqual({
			code: 125,
			stdout: "",
			stderr: "cronium: Node 20.1.0 is too old; version 24 or newer is needed.\n",
		});
	});

	test("caches compiled code where only this user can read and write", async () => {
		const home = createDirectory();
		const env = { HOME: home, XDG_CACHE_HOME: "", NODE_COMPILE_CACHE: "" };
		expect((await inClone(["--version"], { env })).code).toBe(0);
		const cache = join(home, ".cache", "cronium");
		expect(statSync(cache).mode & 0o777).toBe(0o700);
		chmodSync(cache, 0o777);
		expect((await inClone(["--version"], { env })).code).toBe(0);
		expect(statSync(cache).mode & 0o777).toBe(0o700);
	});

	test("takes the engine's memory image for a new data directory from the clone, and puts none into the directory", async () => {
		const image = join(projectDirectory, "node_modules", ".cache", "cronium", "quickjs-wasi.image");
		const runInNewDirectory = async (): Promise<{ readonly names: readonly string[]; readonly changed: number }> => {
			const data = createDirectory();
			expect((await inClone(["run", hello, "--data", data])).code).toBe(0);
			return { names: readdirSync(data), changed: statSync(image).mtimeMs };
		};
		const [first, second] = [await runInNewDirectory(), await runInNewDirectory()];
		expect(second.changed).toBe(first.changed);
		expect(second.names.filter((name) => !/^(store\.lmdb|hosts$)/.test(name))).toEqual([]);
	});

	test("works without a home that it can write to", async () => {
		const env = { HOME: "/dev/null/home", XDG_CACHE_HOME: "", NODE_COMPILE_CACHE: "" };
		expect((await inClone(["--version"], { env })).code).toBe(0);
		expect(existsSync("/dev/null/home")).toBe(false);
	});
});
