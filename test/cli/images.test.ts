import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canStart, startEngine, type TestEngine } from "../images/engines.ts";
import { createDirectory, cronium } from "./cronium.ts";

const digest = `sha256:${"0".repeat(64)}`;

describe.concurrent("wrong usage ends with 2 before an engine is looked for", () => {
	test.for<[string, readonly string[], RegExp]>([
		["an image that there is not", ["build", "perl"], /There is no image "perl"; there are node, python, bash/],
		[
			"a Dockerfile without its base",
			["build", "bash"],
			/--base bash=DIGEST is missing, which bash is built from; --offline needs none/,
		],
		["one of several bases missing", ["build", "--base", `node=${digest}`], /--base python=DIGEST is missing/],
		[
			"a base by a name alone",
			["build", "bash", "--base", "bash=debian:13"],
			/--base is "bash=debian:13"; it must be IMAGE=DIGEST/,
		],
		["a base with an option in it", ["build", "bash", "--base", `bash=--x@${digest}`], /it must be IMAGE=DIGEST/],
		["a base of no image", ["build", "--base", `perl=${digest}`], /There is no image "perl"/],
		[
			"two bases for one image",
			["build", "--base", `bash=${digest}`, "--base", `bash=${digest}`],
			/--base bash is given more than once/,
		],
		[
			"a base where none is needed",
			["build", "--offline", "--base", `bash=${digest}`],
			/--offline and --base exclude each other/,
		],
	])("%s", async ([, argv, message], { expect }) => {
		const { code, stdout, stderr } = await cronium(["images", ...argv, "--container-engine", "unix:///nowhere"]);
		expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: expect.stringMatching(message) });
	});
});

test("an engine that is not there is named", async () => {
	for (const argv of [["build", "--offline"], ["list"], ["remove"]]) {
		const { code, stdout, stderr } = await cronium(["images", ...argv], {
			env: { CRONIUM_CONTAINER_ENGINE: "unix:///nowhere/socket" },
		});
		expect({ code, stdout, stderr }).toEqual({
			code: 125,
			stdout: "",
			stderr: expect.stringContaining("unix:///nowhere/socket"),
		});
	}
});

describe.skipIf(!canStart("docker"))("with an engine", () => {
	let started: TestEngine;
	let run: (...argv: readonly string[]) => ReturnType<typeof cronium>;
	beforeAll(async () => {
		started = await startEngine("docker");
		run = (...argv) => cronium(["images", ...argv, "--container-engine", started.engine.address]);
	});
	afterAll(async () => await started[Symbol.asyncDispose]());

	test("an image is built, listed and removed", async () => {
		const built = await run("build", "--offline", "bash");
		expect(built).toMatchObject({
			code: 0,
			stderr: expect.stringContaining("localhost/cronium/bash:0.1.0: out of this machine's programs, by docker at unix:"),
		});
		const [, id = ""] = /^localhost\/cronium\/bash:0\.1\.0 (sha256:[0-9a-f]{64})\n$/.exec(built.stdout) ?? [];

		const listed = await run("list", "--json");
		expect(JSON.parse(listed.stdout)).toEqual([
			{
				image: "bash",
				version: "0.1.0",
				id,
				references: ["localhost/cronium/bash:0.1.0"],
				bytes: expect.any(Number),
				createdAt: expect.any(String),
			},
		]);
		expect((await run("list")).stdout).toMatch(
			/^IMAGE +VERSION +SIZE +MADE +ID +NAMES\nbash +0\.1\.0 +\S+ MiB +\S+Z +[0-9a-f]{12} +localhost\/cronium\/bash:0\.1\.0\n$/,
		);

		expect(await run("remove", "python")).toMatchObject({ code: 0, stdout: "" });
		expect(await run("remove")).toMatchObject({ code: 0, stdout: `${id}\n` });
		expect((await run("list", "--json")).stdout).toBe("[]\n");
	});

	test("a base that the engine cannot get ends the build with what the engine says", async () => {
		const { code, stdout, stderr } = await run("build", "bash", "--base", `bash=nowhere.invalid/debian@${digest}`);
		expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
		expect(stderr).toMatch(/^cronium: .*build image localhost\/cronium\/bash:0\.1\.0: .*nowhere\.invalid/m);
	});

	test.each(["SIGINT", "SIGTERM"] as const)("%s ends a build, and leaves no files", async (signal) => {
		const temporary = join(createDirectory(), "tmp");
		mkdirSync(temporary);
		let isSent = false;
		const { code, stdout } = await cronium(
			["images", "build", "--offline", "python", "--container-engine", started.engine.address],
			{
				env: { TMPDIR: temporary },
				onStderr: (_text, child) => {
					if (!isSent) isSent = child.kill(signal);
				},
			},
		);
		expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
		expect(readdirSync(temporary)).toEqual([]);
	});
});
