import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { isRunning } from "../sandbox/guest-processes.ts";
import { createDirectory, cronium, launcher } from "./cronium.ts";

/** One kind of script: what it looks like in each test. */
interface Language {
	readonly file: string;
	/** Prints input, variable `v`, condition and the event's name as JSON, sets an output and a variable, and ends with 3. */
	readonly everything: string;
	/** Prints the tag, the input and what `lib` has. */
	readonly tagged: (tag: string) => string;
	readonly library: { readonly file: string; readonly source: (word: string) => string };
	/** Starts a process, prints `pids` with its own and that one's number, and never ends; prints `stopped` at SIGTERM. */
	readonly endless: string;
	/** Ends at nothing but SIGKILL; prints `pids` with its own number. */
	readonly stubborn: string;
}

const languages: Readonly<Record<string, Language>> = {
	TypeScript: {
		file: "script.ts",
		everything: `import { getCondition, getEventContext, getInput, getVariable, setOutput, setVariable } from "cronium";
			const name: unknown = (await getEventContext()).name;
			console.log(JSON.stringify([await getInput(), await getVariable("v"), await getCondition(), name]));
			await setVariable("left", 1);
			await setOutput("done");
			process.exit(3);`,
		tagged: (tag) =>
			`import { getInput } from "cronium"; import { word } from "./lib"; console.log("${tag}", JSON.stringify(await getInput()), word);`,
		library: { file: "lib.ts", source: (word) => `export const word: string = "${word}";` },
		endless: `import { spawn } from "node:child_process";
			process.on("SIGTERM", () => { console.log("stopped"); process.exit(); });
			console.log("pids", process.pid, spawn("sleep", ["1000"]).pid);
			setInterval(() => undefined, 1_000);`,
		stubborn: `process.on("SIGTERM", () => undefined).on("SIGINT", () => undefined);
			setInterval(() => undefined, 1_000); console.log("pids", process.pid);`,
	},
	Python: {
		file: "script.py",
		everything: `import json, sys, cronium
name = cronium.get_event_context().name
print(json.dumps([cronium.get_input(), cronium.get_variable("v"), cronium.get_condition(), name], separators=(",", ":")))
cronium.set_variable("left", 1)
cronium.set_output("done")
sys.exit(3)`,
		tagged: (tag) => `import json, cronium, lib\nprint("${tag}", json.dumps(cronium.get_input()), lib.word)`,
		library: { file: "lib/__init__.py", source: (word) => `word = "${word}"` },
		endless: `import os, signal, subprocess, sys, time
def stop(*_):
    print("stopped")
    sys.exit()
signal.signal(signal.SIGTERM, stop)
print("pids", os.getpid(), subprocess.Popen(["sleep", "1000"]).pid)
time.sleep(1000)`,
		stubborn: `import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("pids", os.getpid())
while True: time.sleep(1)`,
	},
	Bash: {
		file: "script.sh",
		everything: `source cronium.sh
name=$(cronium_get_event_context | jq .name)
condition=$(cronium_get_condition)
echo "[$(cronium_get_input),$(cronium_get_variable v),\${condition:-null},$name]"
cronium_set_variable left 1 > /dev/null
cronium_set_output '"done"'
exit 3`,
		tagged: (tag) => `source cronium.sh\nsource "$(dirname "$0")/lib.sh"\necho "${tag} $(cronium_get_input) $word"`,
		library: { file: "lib.sh", source: (word) => `word=${word}` },
		endless: `trap 'echo stopped; exit' TERM\nsleep 1000 &\necho "pids $$ $!"\nwait`,
		stubborn: `trap '' TERM INT\necho "pids $$"\nwhile :; do sleep 1; done`,
	},
};

/** `cronium dev` that goes on until it is told to end. */
function startDev(argv: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
	const child: ChildProcess = spawn(process.execPath, [launcher, "dev", ...argv], {
		cwd,
		env: { ...process.env, ...env },
		stdio: ["ignore", "pipe", "pipe"],
	});
	let text = "";
	for (const stream of [child.stdout, child.stderr])
		stream?.setEncoding("utf8").on("data", (chunk: string) => {
			text += chunk;
		});
	const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
	onTestFinished(() => {
		// Only where the test has failed: then nothing of it may go on.
		for (const pid of pids(text)) if (isRunning(pid)) process.kill(pid, "SIGKILL");
		child.kill("SIGKILL");
	});
	return {
		child,
		ended,
		get text() {
			return text;
		},
		/** Waits until this has been printed so many times. */
		sees: (part: string, times = 1) =>
			vi.waitFor(() => expect(text.split(part).length - 1, text).toBeGreaterThanOrEqual(times), {
				timeout: 20_000,
				interval: 20,
			}),
	};
}

/** Numbers of the processes that scripts have told of. */
const pids = (text: string): number[] =>
	[...text.matchAll(/^pids (.*)$/gm)].flatMap(([, numbers = ""]) => numbers.split(" ").map(Number));

/** A process that was killed takes a moment to go. */
const requireEnded = (numbers: readonly number[]): Promise<void> =>
	vi.waitFor(() => expect(numbers.filter(isRunning)).toEqual([]), { timeout: 5_000, interval: 10 });

/** How editors save that write a new file and put it in the place of the old one. */
function replace(file: string, text: string): void {
	writeFileSync(`${file}.tmp`, text);
	renameSync(`${file}.tmp`, file);
}

function writeLibrary(directory: string, { file, source }: Language["library"], word: string): void {
	const path = join(directory, file);
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, source(word));
}

describe.each(Object.entries(languages))("cronium dev, %s", (_name, language) => {
	test("--once runs the script with what the options give it, prints what it does, and ends with its exit code", async () => {
		const cwd = createDirectory();
		writeFileSync(join(cwd, language.file), language.everything);
		writeFileSync(join(cwd, "event.json"), '{"name":"nightly"}');
		const given = [
			"--input",
			'{"a":[1,null]}',
			"--var",
			"v=false",
			"--var",
			"w=2",
			"--condition",
			"true",
			"--event",
			"@event.json",
		];
		const result = await cronium(["dev", "--once", language.file, ...given], { cwd });
		expect(result).toMatchObject({ code: 3, stdout: '[{"a":[1,null]},false,true,"nightly"]\n' });
		expect(result.stderr.split("\n")).toEqual([
			"cronium: no connection is configured; this is the stub (nothing leaves this process)",
			'cronium: variable "left" = 1',
			'cronium: output "done"',
			"",
		]);
	});

	test("takes .env and cronium.local.json of the working directory, which the options override, and keeps a state on request", async () => {
		const cwd = createDirectory();
		mkdirSync(join(cwd, "scripts"));
		const file = join("scripts", language.file);
		writeFileSync(join(cwd, file), language.everything);
		writeFileSync(
			join(cwd, "cronium.local.json"),
			'{"input":"local","variables":{"v":"local"},"event":{"name":"local"},"condition":false}',
		);
		writeFileSync(join(cwd, ".env"), `CRONIUM_STUB_INPUT='"dot env"'\n`);
		const first = await cronium(["dev", "--once", file, "--state", "state.json"], { cwd });
		expect(first).toMatchObject({ code: 3, stdout: '["dot env","local",false,"local"]\n' });
		expect(JSON.parse(readFileSync(join(cwd, "state.json"), "utf8"))).toMatchObject({ variables: { left: { value: 1 } } });
		expect(statSync(join(cwd, "state.json")).mode & 0o777).toBe(0o600);
		const second = await cronium(["dev", "--once", file, "--input", "0", "--condition", "true", "--state", "state.json"], {
			cwd,
		});
		expect(second.stdout).toBe('[0,"local",true,"local"]\n');
	});

	test("--fixture replays what `cronium run --record` has written", async () => {
		const cwd = createDirectory();
		writeFileSync(
			join(cwd, "recorded.js"),
			'import { getVariable, setVariable } from "cronium"; export default async () => { await setVariable("v", (await getVariable("v")) + 1); };',
		);
		const real = ["--input", "[7]", "--var", "v=1.5", "--event", '{"name":"real"}', "--data", join(cwd, "data")];
		expect(await cronium(["run", "recorded.js", "--record", "fixture.json", ...real], { cwd })).toMatchObject({ code: 0 });
		writeFileSync(join(cwd, language.file), language.everything);
		const result = await cronium(["dev", "--once", language.file, "--fixture", "fixture.json"], { cwd });
		expect(result).toMatchObject({ code: 3, stdout: '[[7],1.5,null,"real"]\n' });
	});

	test("runs again when it is saved, however it is saved, and when what it imports or is given is", async () => {
		const cwd = createDirectory();
		const { file, tagged, library } = language;
		writeFileSync(join(cwd, file), tagged("one"));
		writeLibrary(cwd, library, "a");
		const dev = startDev([file], cwd);
		await dev.sees("one null a\n");
		await dev.sees("ended with 0");
		writeFileSync(join(cwd, file), tagged("two"));
		await dev.sees("two null a\n");
		await dev.sees("ended with 0", 2);
		replace(join(cwd, file), tagged("three"));
		await dev.sees("three null a\n");
		await dev.sees("ended with 0", 3);
		writeLibrary(cwd, library, "b");
		await dev.sees("three null b\n");
		await dev.sees("ended with 0", 4);
		replace(join(cwd, "cronium.local.json"), '{"input":4}');
		await dev.sees("three 4 b\n");
		await dev.sees("ended with 0", 5);
		writeFileSync(join(cwd, "unrelated.txt"), "");
		// A second time the same text is a save, too; and what is not the script's was none.
		replace(join(cwd, file), tagged("three"));
		await dev.sees("ended with 0", 6);
		expect(dev.text.match(/this is the stub/g)).toHaveLength(6);
		dev.child.kill("SIGTERM");
		expect(await dev.ended).toBe(130);
	}, 90_000);

	test("stops a script that runs, and what it has started, before it runs it again", async () => {
		const cwd = createDirectory();
		writeFileSync(join(cwd, language.file), language.endless);
		const dev = startDev([language.file], cwd);
		await dev.sees("pids ");
		const first = pids(dev.text);
		expect(first).toHaveLength(2);
		expect(first.map(isRunning)).toEqual([true, true]);
		replace(join(cwd, language.file), language.endless);
		await dev.sees("pids ", 2);
		await requireEnded(first);
		expect(dev.text.indexOf("stopped")).toBeLessThan(dev.text.lastIndexOf("pids "));
		dev.child.kill("SIGINT");
		expect(await dev.ended).toBe(130);
		expect(pids(dev.text)).toHaveLength(4);
		await requireEnded(pids(dev.text));
	});

	test("ends a script that will not be stopped", async () => {
		const cwd = createDirectory();
		writeFileSync(join(cwd, language.file), language.stubborn);
		const dev = startDev([language.file], cwd);
		await dev.sees("pids ");
		dev.child.kill("SIGINT");
		expect(await dev.ended).toBe(130);
		expect(pids(dev.text)).toHaveLength(1);
		await requireEnded(pids(dev.text));
		// Once, the second signal does it.
		const once = startDev(["--once", language.file], cwd);
		await once.sees("pids ");
		once.child.kill("SIGTERM");
		once.child.kill("SIGINT");
		expect(await once.ended).toBe(137);
		expect(pids(once.text)).toHaveLength(1);
		await requireEnded(pids(once.text));
	});

	test("--once hands a signal on, and leaves nothing of the script", async () => {
		const cwd = createDirectory();
		writeFileSync(join(cwd, language.file), language.endless);
		const dev = startDev(["--once", language.file], cwd);
		await dev.sees("pids ");
		dev.child.kill("SIGTERM");
		expect(await dev.ended).toBe(0);
		expect(dev.text.match(/stopped/g)).toHaveLength(1);
		expect(pids(dev.text)).toHaveLength(2);
		await requireEnded(pids(dev.text));
	});
});

describe("cronium dev", () => {
	test("calls the default export of JavaScript with the input, and takes what it returns for the output", async () => {
		const cwd = createDirectory();
		writeFileSync(join(cwd, "double.ts"), "export default (n: number): number => n * 2;");
		const result = await cronium(["dev", "--once", "double.ts", "--input", "21"], { cwd });
		expect(result).toMatchObject({ code: 0, stdout: "", stderr: expect.stringMatching(/\ncronium: output 42\n$/) });
		writeFileSync(join(cwd, "nothing.js"), "export default () => undefined;");
		expect((await cronium(["dev", "--once", "nothing.js"], { cwd })).stderr).not.toContain("output");
	});

	test("has the helpers for CommonJS and without promises, files imported as the bundler finds them, and modules of Node", async () => {
		const cwd = createDirectory();
		writeFileSync(
			join(cwd, "script.cjs"),
			'const { setOutput } = require("cronium/sync"); setOutput([require("./data.json"), require("node:path").basename(process.argv[1]), process.argv.length]);',
		);
		writeFileSync(join(cwd, "data.json"), "{}");
		// A link is run as what it is called.
		symlinkSync("script.cjs", join(cwd, "link.cjs"));
		for (const file of ["script.cjs", "link.cjs"])
			expect(await cronium(["dev", "--once", file], { cwd })).toMatchObject({
				code: 0,
				stderr: expect.stringContaining(`cronium: output [{},"${file}",2]\n`),
			});
	});

	test("shows an error with the author's own lines, and ends with 1 whatever is still open", async () => {
		const cwd = createDirectory();
		writeFileSync(join(cwd, "lib.ts"), "interface A {}\nexport function fail(): never {\n\tthrow new RangeError('deep');\n}");
		writeFileSync(
			join(cwd, "fails.ts"),
			'import { fail } from "./lib.ts";\nsetInterval(() => undefined, 1_000);\nexport default () => fail();',
		);
		const result = await cronium(["dev", "--once", "fails.ts"], { cwd });
		expect(result.code).toBe(1);
		expect(result.stderr).toContain("RangeError: deep");
		expect(result.stderr).toContain(`${join(cwd, "lib.ts")}:3:`);
		expect(result.stderr).toContain(`${join(cwd, "fails.ts")}:3:`);
	});

	test("a source that cannot be parsed, or imports what is not there, is named, and runs when that is mended", async () => {
		const cwd = createDirectory();
		const file = join(cwd, "script.js");
		writeFileSync(file, "console.log('first');\nlet = (");
		expect(await cronium(["dev", "--once", "script.js"], { cwd })).toMatchObject({
			code: 1,
			stdout: "",
			stderr: expect.stringMatching(/^cronium: script\.js:2:\d+: /),
		});
		const dev = startDev(["script.js"], cwd);
		await dev.sees("not run; waiting for a change");
		writeFileSync(file, 'import { word } from "./missing";\nconsole.log("word", word);');
		await dev.sees('script.js:1:22: Could not resolve "./missing"');
		writeFileSync(join(cwd, "missing.ts"), 'export const word: string = "found";');
		await dev.sees("word found");
		dev.child.kill("SIGHUP");
		expect(await dev.ended).toBe(130);
	});

	test("a file that an option names is read again at every run, and what is malformed is waited for", async () => {
		const cwd = createDirectory();
		writeFileSync(join(cwd, "script.js"), 'import { getVariable } from "cronium"; console.log("v is", await getVariable("v"));');
		writeFileSync(join(cwd, "value.json"), "1");
		const dev = startDev(["script.js", "--var", "v=@value.json"], cwd);
		await dev.sees("v is 1");
		replace(join(cwd, "value.json"), "{");
		await dev.sees("cronium: --var v (from value.json) is not JSON");
		replace(join(cwd, "value.json"), "2");
		await dev.sees("v is 2");
		dev.child.kill("SIGINT");
		expect(await dev.ended).toBe(130);
	});

	test("a save at any moment is not missed, and no run is left beside the last one", async () => {
		const cwd = createDirectory();
		const source = (number: number): string =>
			`console.log("pids", process.pid); console.log("saved ${number}"); setInterval(() => undefined, 1_000); ${"/* long */ ".repeat(50_000)}`;
		writeFileSync(join(cwd, "script.js"), source(0));
		const dev = startDev(["script.js"], cwd);
		// Bundling, starting, running or stopping.
		for (let number = 1; number <= 12; number++) {
			replace(join(cwd, "script.js"), source(number));
			await new Promise((resolve) => setTimeout(resolve, number * 15));
		}
		await dev.sees("saved 12\n");
		await requireEnded(pids(dev.text).slice(0, -1));
		dev.child.kill("SIGINT");
		expect(await dev.ended).toBe(130);
		await requireEnded(pids(dev.text));
	});

	test("never reaches a platform, whatever the environment says", async () => {
		const cwd = createDirectory();
		writeFileSync(join(cwd, "script.sh"), "source cronium.sh\ncronium_set_output 1\nenv");
		const env = { CRONIUM_API_URL: "http://127.0.0.1:1", CRONIUM_EXECUTION_TOKEN: "a-secret-token" };
		const result = await cronium(["dev", "--once", "script.sh"], { cwd, env });
		expect(result).toMatchObject({ code: 0, stdout: expect.not.stringContaining("a-secret-token") });
		expect(result.stderr).toContain("cronium: CRONIUM_API_URL, CRONIUM_EXECUTION_TOKEN: not used here");
		expect(result.stderr).toContain("this is the stub");
	});

	test("says which program a script needs that is not there", async () => {
		const cwd = createDirectory();
		writeFileSync(join(cwd, "script.py"), "");
		const result = await cronium(["dev", "--once", "script.py"], { cwd, env: { PATH: cwd } });
		expect(result).toEqual({ code: 125, stdout: "", stderr: "cronium: python3 is not installed; this script needs it.\n" });
	});

	test("hands standard input on to a script that is run once", async () => {
		const cwd = createDirectory();
		writeFileSync(join(cwd, "script.sh"), 'read -r line; echo "read $line"');
		expect(await cronium(["dev", "--once", "script.sh"], { cwd, stdin: "a line\n" })).toMatchObject({
			code: 0,
			stdout: "read a line\n",
		});
	});

	test.each([
		[["script.rb"], "is not a script that cronium dev runs; it takes .js, .mjs"],
		[["none.js"], "there is no such file"],
		[["directory.js"], "is not a file"],
		[["script.js", "--input", "{"], "--input is not JSON"],
		[["script.js", "--input", "-"], "--input cannot be standard input"],
		[["script.js", "--var", "a=-"], "--var a cannot be standard input"],
		[["script.js", "--var", "=1"], "it must be KEY=JSON"],
		[["script.js", "--condition", "yes"], '--condition is "yes"; it must be true or false'],
		[["script.js", "--fixture", "none.json"], "--fixture: none.json cannot be read"],
		[[], "The script's file is missing"],
	])("refuses %j", async (argv, message) => {
		const cwd = createDirectory();
		for (const name of ["script.rb", "script.js"]) writeFileSync(join(cwd, name), "");
		mkdirSync(join(cwd, "directory.js"));
		const result = await cronium(["dev", ...argv], { cwd });
		expect(result).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(message) });
	});

	test("refuses variables that no environment takes", async () => {
		const cwd = createDirectory();
		writeFileSync(join(cwd, "script.js"), "");
		writeFileSync(join(cwd, "large.json"), JSON.stringify("x".repeat(200_000)));
		const result = await cronium(["dev", "--once", "script.js", "--var", "v=@large.json"], { cwd });
		expect(result).toMatchObject({
			code: 1,
			stderr: "cronium: The variables are too long for --var; put them into cronium.local.json.\n",
		});
	});
});
