import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { printed } from "../printed.ts";
import { type ContainerHost, openContainerHost, reported } from "./container-host.ts";
import { engineKinds, findTestEngine } from "./engines.ts";

/** What a shell, an option parser or a C string would make something else of. */
const strange = [
	"",
	" ",
	"-e",
	"--",
	"-c",
	"$(touch /work/pwned)",
	"`touch /work/pwned`",
	"; touch /work/pwned",
	"' \" \\ ",
	"*",
	"~",
	"$HOME",
	"a\nb",
	"\n",
	"\n\n",
	"ends with one\n",
	"1\n2\n3",
	"0",
	"\r\n",
	"\t",
	"ü 日本 🚀",
	"\u202e\u0007\u001b[31m",
	"x".repeat(100_000),
];

describe.each(engineKinds)("what a script in a container of %s is called with", async (kind) => {
	const isMissing = "missing" in (await findTestEngine(kind));
	/** What does not depend on the engine is tried with one of them. */
	const isElsewhere = isMissing || kind !== engineKinds[0];
	let containers: ContainerHost;
	beforeAll(async () => {
		if (!isMissing) containers = await openContainerHost(kind, { limits: { maxCpuTimeMs: 60_000 } });
	});
	afterAll(() => containers?.[Symbol.asyncDispose]());
	afterEach(() => containers?.requireNothingLeft());

	test.skipIf(isMissing)("arrives as it was given, in every language", async () => {
		const hash = "createHash('sha256').update(process.argv.slice(2).join('\\0')).digest('hex')";
		const [node, python, bash] = await Promise.all([
			containers.run(
				"-e.js",
				`import { createHash } from "node:crypto"; console.log(JSON.stringify([process.argv.length - 2, ${hash}]))`,
				{
					arguments: strange,
				},
			),
			containers.run(
				"-c.py",
				"import sys, json, hashlib, os\nprint(json.dumps([len(sys.argv) - 1, hashlib.sha256('\\0'.join(sys.argv[1:]).encode()).hexdigest(), os.path.exists('/work/pwned'), sys.stdin.read()]))",
				{ arguments: strange },
			),
			containers.run(
				"-s.sh",
				'printf "[%d]" "$#"; for one; do printf "%s" "$one" | wc -m | tr -d "\\n"; printf "|"; done; ls /work',
				{ arguments: strange },
			),
		]);
		const { createHash } = await import("node:crypto");
		const expected = createHash("sha256").update(strange.join("\0")).digest("hex");
		expect(reported(node)).toEqual([strange.length, expected]);
		expect(reported(python)).toEqual([strange.length, expected, false, ""]);
		expect(printed(bash)).toBe(`[${strange.length}]${strange.map((one) => `${[...one].length}|`).join("")}`);
	});

	test.skipIf(isMissing)("is found in files of every name, byte by byte, and only there", async () => {
		const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
		const files = {
			"-rf": "option",
			"a b/ü 日本/$(x).bin": bytes,
			"'quote\".txt": "",
			"*": "star",
			[`${"n".repeat(255)}`]: "long",
			"empty.nul": "a\0b",
		};
		const outcome = await containers.run(
			"sub/../my script.py",
			`
import json, os, sys
found = {}
for directory, _, names in os.walk("/script"):
    for name in names:
        path = os.path.join(directory, name)
        found[os.path.relpath(path, "/script")] = [open(path, "rb").read().hex()[:600], os.access(path, os.W_OK)]
print(json.dumps([sys.argv[0], os.getcwd(), found]))`,
			{ files },
		);
		const [script, directory, found] = reported(outcome);
		expect(script).toBe("/script/my script.py");
		expect(directory).toBe("/work");
		const { "my script.py": _own, ...others } = found;
		const expected = Object.entries(files).map(([name, contents]) => [
			name,
			[Buffer.from(contents as string).toString("hex"), false],
		]);
		expect(others).toEqual(Object.fromEntries(expected));
	});

	test.skipIf(isElsewhere)("is a script with any name that has one", async () => {
		const names = ["..", ".", "...sh", ".hidden.sh", "a/b/../..", "/etc/passwd", "-", "--help.sh", "a;b.sh", "ü".repeat(200)];
		const outcomes = await Promise.all(
			names.map((name) => containers.host.run({ mode: "container", script: { name, source: 'echo "$0"', language: "bash" } })),
		);
		for (const [index, outcome] of outcomes.entries()) {
			expect(outcome, names[index]).toMatchObject({ status: "succeeded" });
			expect(printed(outcome)).toMatch(/^\/script\/[^/]+$/);
		}
		await Promise.all(
			[
				["new\nline.sh", "invalid"],
				["", "invalid"],
				["ü".repeat(256), "invalid"],
			].map(async ([name = "", code]) =>
				expect(containers.host.run({ mode: "container", script: { name, source: "", language: "bash" } })).rejects.toMatchObject({
					code,
				}),
			),
		);
	});

	test.skipIf(isMissing)("and files can be read by the script whatever the umask of the host is", async () => {
		const before = process.umask(0o077);
		try {
			const outcome = await containers.run("x.sh", "cat /script/lib/rates.txt", { files: { "lib/rates.txt": "0.25" } });
			expect(outcome).toMatchObject({ status: "succeeded" });
			expect(printed(outcome)).toBe("0.25");
		} finally {
			process.umask(before);
		}
	});

	test.skipIf(isElsewhere)(
		"is refused when no program could be called with it, with what is wrong and what is allowed",
		async () => {
			const run = (options: Parameters<ContainerHost["run"]>[2]) => containers.run("x.sh", "echo never", options);
			for (const [options, code, reason] of [
				[{ arguments: ["a\0b"] }, "invalid", "arguments[0] has a NUL character"],
				[{ arguments: ["x".repeat(131_072)] }, "too-large", "arguments[0] has 131072 bytes; the limit is 131071"],
				[{ arguments: Array(20).fill("x".repeat(100_000)) }, "too-large", "The arguments have 2000000 bytes together"],
				[{ arguments: Array(1_001).fill("x") }, "too-large", "There are 1001 arguments; the limit is 1000"],
				[{ files: { "../x": "" } }, "invalid", "no legal path"],
				[{ files: { "/etc/x": "" } }, "invalid", "no legal path"],
				[{ files: { ".cronium.mjs": "" } }, "invalid", "no legal path"],
				[{ files: { "a\nb": "" } }, "invalid", "no legal path"],
				[{ files: { ["n".repeat(256)]: "" } }, "invalid", "255 bytes"],
				[{ files: { a: "", "a/b": "" } }, "invalid", "is a directory, too"],
				[{ files: { "x.sh": "other" } }, "invalid", "in the place of the script"],
				[{ files: { "x.sh/y": "other" } }, "invalid", "in the place of the script"],
				[{ files: { big: new Uint8Array(9 * 1024 * 1024) } }, "too-large", "maxFilesBytes"],
			] as const)
				await expect(run(options), JSON.stringify(options).slice(0, 100)).rejects.toMatchObject({
					code,
					message: expect.stringContaining(reason),
				});
		},
	);
});
