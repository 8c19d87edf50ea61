import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSshRuns, type SshRuns } from "../ssh/ssh-runs.ts";
import { sshdObstacle } from "../ssh/sshd.ts";
import { cronium } from "./cronium.ts";

const obstacle = sshdObstacle();
const nothing = { port: 1, tags: ["eu"] };

describe.skipIf(obstacle !== undefined)(`cronium run on several SSH hosts${obstacle ? ` (${obstacle})` : ""}`, () => {
	let runs: SshRuns;
	const directory = mkdtempSync(join(tmpdir(), "run-hosts-"));
	beforeAll(async () => {
		runs = await openSshRuns();
		await runs.addHost("web-1", { tags: ["eu"] });
		await runs.addHost("web-2");
		await runs.addHost("db-1", nothing);
		writeFileSync(join(directory, "name.sh"), 'source cronium.sh; cronium_set_output "$(cronium_get_input)"; echo here\n');
		writeFileSync(join(directory, "fails.sh"), "exit 7\n");
	});
	afterAll(async () => {
		await runs?.[Symbol.asyncDispose]();
		rmSync(directory, { recursive: true, force: true });
	});

	const run = async (...words: readonly string[]) => {
		const { code, stdout, stderr } = await cronium(["run", ...words, "--data", runs.dataDirectory], { cwd: directory });
		const lines = stdout.split("\n").filter((line) => line !== "");
		const outcomes = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
		return { code, stderr, outcomes: outcomes.toSorted((one, other) => (String(one.host) < String(other.host) ? -1 : 1)) };
	};

	test("a pattern runs it on each that fits, with an outcome for each and a summary", async () => {
		const { code, outcomes, stderr } = await run("name.sh", "--in", "ssh:web-*", "--input", "3");
		expect(outcomes).toMatchObject([
			{ host: "web-1", status: "succeeded", exitCode: 0, output: 3, executionId: expect.any(String) },
			{ host: "web-2", status: "succeeded", exitCode: 0, output: 3 },
		]);
		expect(stderr.split("\n").toSorted()).toEqual(["", "cronium: 2 hosts: 2 succeeded", "web-1: here", "web-2: here"]);
		expect(code).toBe(0);
	});

	test("one that cannot be reached fails alone, and the whole with it", async () => {
		const { code, outcomes, stderr } = await run("name.sh", "--in", "ssh:tag=eu,web-2");
		expect(outcomes).toMatchObject([
			{ host: "db-1", status: "failed", exitCode: 1, error: { code: "host-unreachable" } },
			{ host: "web-1", status: "succeeded" },
			{ host: "web-2", status: "succeeded" },
		]);
		expect(stderr).toContain("cronium: 3 hosts: ");
		expect(stderr).toContain("2 succeeded");
		expect(stderr).toContain("1 failed (db-1)");
		expect(code).toBe(1);
	});

	test("--stop-on-failure begins on no other, and says on which it has not", async () => {
		const words = ["fails.sh", "--in", "ssh:web-*", "--max-parallel", "1", "--stop-on-failure"];
		const { code, outcomes, stderr } = await run(...words);
		expect(outcomes).toMatchObject([
			{ host: "web-1", status: "failed", exitCode: 7 },
			{ host: "web-2", status: "not-started" },
		]);
		expect(stderr).toContain("cronium: 2 hosts: 1 failed (web-1), 1 not started (web-2)\n");
		expect(code).toBe(1);
	});

	test("--json has all of every outcome", async () => {
		const { outcomes } = await run("name.sh", "--in", "ssh:web-*", "--json");
		expect(outcomes.map(({ host, logs }) => [host, logs])).toMatchObject([
			["web-1", [{ message: "here" }]],
			["web-2", [{ message: "here" }]],
		]);
	});

	test.each([
		["ssh:mail-*", '"mail-*" fits none of web, web-1, web-2, db-1.'],
		["ssh:web-1,nowhere", 'There is no SSH host "nowhere"; there are web, web-1, web-2, db-1.'],
	])("%s names what there is", async (place, message) => {
		const { code, outcomes, stderr } = await run("name.sh", "--in", place);
		expect({ outcomes, stderr }).toEqual({ outcomes: [], stderr: expect.stringContaining(message) });
		expect(code).not.toBe(0);
	});

	test.each([
		[["--in", "ssh:web-1", "--max-parallel", "2"], '--max-parallel is for several SSH hosts, and "ssh:web-1" is one.'],
		[["--in", "ssh:web-*", "--max-parallel", "0"], "--max-parallel is 0; it must be at least 1."],
		[["--stop-on-failure"], "--stop-on-failure is for several SSH hosts, and this script runs in a container."],
		[["--in", "ssh:web-*", "--record", "x"], "--record is for one run, and --in names several hosts."],
	])("%j is refused", async (words, message) => {
		const { code, stderr } = await run("name.sh", ...words);
		expect({ code, stderr: stderr.split("\n", 1)[0] }).toEqual({ code: 2, stderr: `cronium: ${message} Try --help.` });
	});

	test("one that does not take the run is refused alone, with its code", async () => {
		await runs.addHost("web-3", { port: 2, namespaces: ["tenant"] });
		const { code, outcomes, stderr } = await run("name.sh", "--in", "ssh:web-2,web-3");
		expect(outcomes).toMatchObject([
			{ host: "web-2", status: "succeeded" },
			{ host: "web-3", status: "failed", error: { code: "denied", message: expect.stringContaining("namespace default") } },
		]);
		expect(stderr).toContain("cronium: 2 hosts: 1 succeeded, 1 failed (web-3)\n");
		expect(code).toBe(1);
	});
});
