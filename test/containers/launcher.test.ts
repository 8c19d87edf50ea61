// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what a shell would expand.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { encodeCommand, launcher, launcherReady } from "../../host/executors/container/launcher.ts";

/**
 * Runs the launcher as a container does: below an init, alone in a namespace of process ids, because it kills all that it can see when its standard input
 * ends.
 */
async function launch(shell: readonly string[], sent: string, end = false) {
	const init = ["sh", "-c", '"$@"; exit', "init", ...shell, "-c", launcher];
	const alone = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"];
	const child = spawn("unshare", [...alone, ...init], { stdio: ["pipe", "pipe", "pipe"] });
	onTestFinished(() => void child.kill("SIGKILL"));
	child.stdin.on("error", () => undefined);
	child.stdin.write(sent);
	if (end) child.stdin.end();
	const output = Promise.all([text(child.stdout), text(child.stderr)]);
	const [code] = (await once(child, "exit")) as [number | null];
	child.stdin.end();
	const [said, stderr] = await output;
	expect(said.startsWith(launcherReady)).toBe(true);
	return { code, stdout: said.slice(launcherReady.length), stderr };
}

/** Prints its arguments as a JSON array. */
const echo = [process.execPath, "-e", "process.stdout.write(JSON.stringify(process.argv.slice(1)))", "--"];

const texts = [
	...["", "", "\n", "a\nb", "\n\na\n\n", "a\n", "a\r\nb", "\r"],
	...["'\"`\\", "$HOME", "$(id)", "`id`", "${x:-y}", "a;b|c&d>e", "*", "~", "!!", "\\n\\0", "{a,b}"],
	...[" ", "\t a \t", "  leading", "trailing  ", "-n", "-e", "--", "-c", "--help", "0", "3", "-1", "08"],
	...["äöü", "\u{1f600}\u2028\u202e", "\ufeff", "\u0001\u001b[31m\u007f"],
];

describe.each([{ shell: ["dash"] }, { shell: ["bash", "--posix"] }])("the launcher in $shell", ({ shell }) => {
	test("every text reaches the program as it is, the longest, and as many as there may be", async () => {
		const many = Array.from({ length: 900 }, (_, index) => String(index));
		const given = [...texts, "é".repeat(65_535), ...many];
		const { stdout, stderr, code } = await launch(shell, encodeCommand([...echo, ...given]));
		expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
		expect(JSON.parse(stdout)).toEqual(given);
	});

	test("the program has no standard input, not the launcher's either, and none of its variables", async () => {
		const script = "readlink /proc/self/fd/0; cat; cat <&3 || echo none; echo ${count-}${lines-}${value-}${line-}$#";
		const { stdout, code } = await launch(shell, encodeCommand(["bash", "-c", script]));
		expect({ stdout, code }).toEqual({ stdout: "/dev/null\nnone\n0\n", code: 0 });
	});

	test("the exit code of the program is kept; one that is not there is 127", async () => {
		expect(await launch(shell, encodeCommand(["sh", "-c", "exit 42"]))).toMatchObject({ code: 42 });
		expect(await launch(shell, encodeCommand(["/no/such/program"]))).toMatchObject({ code: 127 });
	});

	test.each(["", "2", "2\n1\n/bin/echo\n", "1\n3\n/bin/echo\nb\n"])(
		"a job that breaks off after %j is not begun",
		async (sent) => {
			expect(await launch(shell, sent, true)).toMatchObject({ code: 125, stdout: "" });
		},
	);

	test("everything is killed when the standard input ends while the program runs", async () => {
		const script = "sleep 600 & trap '' TERM INT HUP; echo begun; wait";
		expect(await launch(shell, encodeCommand(["bash", "-c", script]), true)).toMatchObject({ code: 137 });
	});
});
