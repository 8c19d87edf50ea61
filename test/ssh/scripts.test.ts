// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what a shell would expand.
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { deserter } from "../deserter.ts";
import { printed } from "../printed.ts";
import { openSshRuns, type SshRuns } from "./ssh-runs.ts";
import { sshdObstacle } from "./sshd.ts";

const obstacle = sshdObstacle(true);

describe.skipIf(obstacle !== undefined)("a script on an SSH host", () => {
	let runs: SshRuns;
	beforeAll(async () => {
		runs = await openSshRuns({
			sshd: {
				accounts: {
					fisher: { shell: "/usr/bin/fish" },
					tess: { shell: "/usr/bin/tcsh" },
					dasher: { shell: "/bin/dash" },
					noisy: {},
					loud: { shell: "/usr/bin/tcsh" },
				},
				configuration: ["AcceptEnv none"],
			},
			limits: { maxLogBytes: 16 * 1024 * 1024 },
		});
		for (const [name, account] of Object.entries(runs.sshd.accounts))
			if (name !== "runner") await runs.addHost(name, { user: account.name });
		// Interactive or not, and at length.
		const noise =
			'echo "welcome to $HOME"; for i in 1 2 3 4 5; do head -c 20000 /dev/zero | tr "\\0" n; echo; done; echo oops >&2\n';
		const cNoise = 'echo "welcome to $HOME"; echo oops | sh -c "cat >&2"; head -c 100000 /dev/zero | tr "\\0" n\n';
		for (const [account, file, text] of [
			["noisy", ".bashrc", noise],
			["noisy", ".bash_profile", noise],
			["loud", ".cshrc", cNoise],
			["loud", ".login", cNoise],
			["fisher", ".config/fish/config.fish", "echo welcome\necho oops >&2\n"],
		] as const) {
			const { home, uid } = runs.sshd.accounts[account] as (typeof runs.sshd.accounts)[string];
			const path = join(home, file);
			mkdirSync(join(path, ".."), { recursive: true });
			writeFileSync(path, text);
			chownSync(path, uid, uid);
		}
	});
	afterAll(() => runs?.[Symbol.asyncDispose]());
	afterEach(() => runs.requireNothingLeft());

	test("ends with its own exit code, whichever it is, with many at once", { timeout: 60_000 }, async () => {
		const codes = Array.from({ length: 256 }, (_, code) => code);
		const outcomes = await Promise.all(codes.map((code) => runs.run(`${code}.sh`, `exit ${code}`)));
		expect(outcomes.map(({ exitCode }) => exitCode)).toEqual(codes);
		for (const [code, { status, error }] of outcomes.entries()) {
			if (code === 0) expect(status).toBe("succeeded");
			else expect({ status, code: error?.code }).toEqual({ status: "failed", code: "script-error" });
		}
		expect(outcomes[3]?.error?.message).toBe("The script ended with exit code 3.");
	});

	test("that is ended by a signal says which one", async () => {
		for (const signal of ["KILL", "TERM", "SEGV", "HUP"] as const) {
			const outcome = await runs.run("end.sh", `kill -${signal} $$; sleep 60`);
			const exitCode = 128 + constants.signals[`SIG${signal}`];
			expect(outcome).toMatchObject({
				status: "failed",
				exitCode,
				error: { code: "script-error", message: `The script was ended by SIG${signal}, exit code ${exitCode}.` },
			});
		}
	});

	test("prints what is in the log at once, and not only when it ends", async () => {
		const told = Promise.withResolvers<void>();
		let isOver = false;
		const running = runs.run("live.sh", 'echo first; until [ -e "$TMPDIR/../go" ]; do sleep 0.05; done; echo last', {
			onLog: ({ message }) => message === "first" && told.resolve(),
			files: { "none.txt": "" },
			limits: { maxWallTimeMs: 2_000 },
		});
		void running.then(() => {
			isOver = true;
		});
		await told.promise;
		expect(isOver).toBe(false);
		expect(await running).toMatchObject({ status: "timed-out" });
	});

	test("prints 5 MB on both streams, none of which is lost or on the other one", async () => {
		const source = `for stream in 1 2; do
	i=0
	while [ $i -lt 2500 ]; do printf '%s %s %01000d\\n' "$stream" "$i" 0 >&$stream; i=$((i + 1)); done
done`;
		const outcome = await runs.run("much.sh", source);
		expect(outcome.status).toBe("succeeded");
		for (const [source, stream] of [
			["stdout", "1"],
			["stderr", "2"],
		] as const) {
			const lines = outcome.logs.filter((line) => line.source === source).map(({ message }) => message.slice(0, -1_001));
			expect(lines).toEqual(Array.from({ length: 2_500 }, (_, index) => `${stream} ${index}`));
		}
	});

	test.each(["web", "fisher", "tess", "dasher", "noisy", "loud"])(
		"has nothing to do with the login shell of the account: %s",
		async (host) => {
			const outcome = await runs.run(
				"shell.sh",
				'echo "out $1"; echo error >&2; . cronium.sh; cronium_set_output "$(cronium_get_input)"',
				{
					host,
					input: '{"a":"it\'s"}',
					arguments: ["$HOME 'and' \"more\""],
				},
			);
			expect(outcome).toMatchObject({ status: "succeeded", output: { a: "it's" } });
			expect(printed(outcome)).toBe(`out $HOME 'and' "more"`);
			expect(printed(outcome, "stderr")).toBe("error");
		},
	);

	test.each([
		[
			"python",
			"a.py",
			"import cronium, sys\nprint(sys.argv[1:])\ncronium.set_output([cronium.get_input(), cronium.get_variable('none')])",
		],
		[
			"JavaScript",
			"a.js",
			"console.log(process.argv.slice(2));\nexport default async (input) => [input, await (await import('cronium')).getVariable('none')];",
		],
		[
			"TypeScript",
			"a.ts",
			"import { getInput, setOutput } from 'cronium';\nconst input: unknown = await getInput();\nconsole.log(process.argv.slice(2));\nawait setOutput([input, null]);",
		],
		["Bash", "a.sh", 'source cronium.sh\necho "[\'$1\']"\ncronium_set_output "[$(cronium_get_input),null]"'],
	])("in %s has its SDK and its arguments", async (_language, name, source) => {
		const outcome = await runs.run(name, source, { input: "[1]", arguments: ["two words"] });
		expect(outcome).toMatchObject({ status: "succeeded", output: [[1], null] });
		expect(printed(outcome).replaceAll(/\s+/g, " ").replaceAll("[ ", "[").replaceAll(" ]", "]")).toBe("['two words']");
	});

	test("is called with its arguments as they are, and finds its files", async () => {
		const given = [
			"",
			"a\nb",
			"\n\n",
			"'\"`\\",
			"$(id)",
			"`id`",
			"${HOME}",
			"*",
			"--",
			"-n",
			" a ",
			"a\r",
			"é\u{1f600}",
			"!!",
			"~",
		];
		const bytes = new Uint8Array(100_000).map((_, index) => (index * 7) % 256);
		const source =
			"import hashlib, json, sys\nprint(json.dumps([sys.argv[1:], hashlib.sha256(open(sys.path[0] + '/lib/b c/$(id).bin', 'rb').read()).hexdigest(), open(sys.path[0] + '/lib/short.txt').read(), open(sys.path[0] + '/empty').read()]))";
		const outcome = await runs.run("args.py", source, {
			arguments: given,
			files: { "lib/b c/$(id).bin": bytes, "lib/short.txt": "a\\nb\n\n  c\t\n", empty: "" },
		});
		const hash = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
		expect(JSON.parse(printed(outcome))).toEqual([given, hash, "a\\nb\n\n  c\t\n", ""]);
	});

	test("may have any name, is found under it, and no shell reads it", async () => {
		for (const name of ['it\'s "quoted" $(touch pwned) `id`.sh', "-c.sh", "; rm -rf $HOME.sh", "ü\u{1f600}.sh", "$HOME.sh"]) {
			const outcome = await runs.run(name, 'printf "%s" "${0##*/}"');
			expect(printed(outcome)).toBe(name);
		}
	});

	test("sees the event as it is, apostrophes and all", async () => {
		const event = { id: "e1", name: `it's "the" $(id) event\n`, type: "manual" };
		const outcome = await runs.run(
			"event.sh",
			'. cronium.sh; cronium_set_output "$(cronium_member "$(cronium_get_event_context)" name)"',
			{
				event,
			},
		);
		expect(outcome.output).toBe(event.name);
	});

	test("in Bash may come with the line breaks of Windows", async () => {
		const outcome = await runs.run("windows.sh", "if true; then\r\n\techo fine\r\nfi\r\ncat <<END\r\nline\r\nEND\r\n");
		expect(outcome).toMatchObject({ status: "succeeded" });
		expect(printed(outcome)).toBe("fine\nline");
	});

	test("has a private directory of its own, no standard input, and the account's environment", async () => {
		const source =
			'stat -c %a "$PWD/.."; ls -A; readlink /proc/self/fd/0; echo "$HOME"; [ -w "$TMPDIR" ] && echo writable; umask';
		const outcome = await runs.run("place.sh", source);
		expect(printed(outcome)).toBe(`700\n/dev/null\n${runs.sshd.account.home}\nwritable\n0077`);
	});

	test("leaves no process behind, whatever its processes do to be left", async () => {
		const outcome = await runs.run("deserter.py", deserter);
		expect(outcome).toMatchObject({ status: "succeeded" });
		expect(printed(outcome)).toBe("left");
		// Told when they are gone.
		expect(runs.left()).toEqual([]);
		const background = "nohup sleep 600 >/dev/null 2>&1 & (setsid sleep 601 &) ; sleep 602 & disown; echo over";
		const second = await runs.run("background.sh", background);
		expect(runs.left()).toEqual([]);
		expect(printed(second)).toBe("over");
		expect(second.usage.wallTimeMs).toBeLessThan(60_000);
	});

	test("leaves no directory behind, whatever it has made of it", async () => {
		const source =
			'mkdir -p a/b/c; touch a/b/c/d; chmod 000 a/b/c a/b a; mkdir "$TMPDIR/$(printf "x\\ny")"; ln -s / "$TMPDIR/root"; chmod 500 ..';
		expect(await runs.run("stubborn.sh", source)).toMatchObject({ status: "succeeded" });
		expect(runs.left()).toEqual([]);
	});

	test("does not disturb others: fifty at once, with what every sshd allows", { timeout: 60_000 }, async () => {
		const source = '. cronium.sh; echo "$1" >own; sleep 0.1; cronium_set_output "$(cat own)"';
		const outcomes = await Promise.all(
			Array.from({ length: 50 }, (_, index) => runs.run("many.sh", source, { arguments: [`${index}`] })),
		);
		expect(outcomes.map(({ output, error }) => error?.message ?? output)).toEqual(outcomes.map((_, index) => index));
	});
});
