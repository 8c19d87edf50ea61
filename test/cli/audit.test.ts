import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { createHost } from "../../host/index.ts";
import { entryAt, tamper } from "../audit/chains.ts";
import { createDirectory, cronium } from "./cronium.ts";

describe("cronium audit", () => {
	let directory = "";
	let data = "";
	let hostId = "";
	let executionId = "";
	beforeEach(async () => {
		directory = createDirectory();
		data = join(directory, "data");
		const host = await createHost({ dataDirectory: data, audit: true, limits: { maxWorkers: 1 } });
		hostId = host.id;
		({ executionId } = await host.run({
			script: { name: "a.js", source: `await cronium.setVariable("k\u202e", "secret"); await cronium.getInput();` },
			scopes: ["variables:write"],
		}));
		await host.audit?.record({ action: "tokens.revoke", actor: "\u001b[31mevil\n" });
		await host.dispose();
	});
	const audit = (...argv: string[]) => cronium(["audit", ...argv, "--data", data]);
	const file = (name: string) => join(directory, name);

	test("list prints entries for people, escaped, and for programs as they are stored", async () => {
		const all = await audit("list");
		expect(all).toMatchObject({ code: 0, stderr: "" });
		const lines = all.stdout.trimEnd().split("\n");
		expect(lines[0]).toMatch(/^AT +HOST +# +TYPE +WHAT$/);
		expect(lines.slice(1).map((line) => line.split(/ {2,}/)[3])).toEqual([
			"chain",
			"control",
			"effect",
			"denied",
			"control",
			"control",
		]);
		expect(all.stdout).not.toContain("\u001b");
		expect(all.stdout).toContain("\\u001b[31mevil");
		const denied = await audit("list", "--type", "denied", "--execution", executionId, "--json", "--since", "1h", "--limit", "5");
		expect(JSON.parse(denied.stdout)).toMatchObject([
			{ host: hostId, sequence: 4, mac: expect.any(String), entry: { type: "denied", execution: executionId } },
		]);
		expect((await audit("list", "--since", "2100-01-01")).stdout).toBe("");
	});

	test("a change of credentials by the command line is in the log", async () => {
		for (const command of ["rotate", "operator"])
			expect(await cronium(["keys", command, "--data", data])).toMatchObject({ code: 0 });
		const { stdout } = await audit("list", "--type", "control", "--json");
		const actions = JSON.parse(stdout).map(({ entry }: { entry: { action: string } }) => entry.action);
		expect(actions).toEqual(expect.arrayContaining(["rotate-keys", "replace-operator-credential"]));
		expect(await audit("verify")).toMatchObject({ code: 0, stdout: expect.stringContaining("in 3 chains are in order") });
	});

	test("verify says that all is in order, and names what is not, with exit code 1", async () => {
		expect(await audit("verify")).toEqual({ code: 0, stdout: "6 entries in 1 chain are in order.\n", stderr: "" });
		await tamper(data, ({ read, write }) =>
			write(entryAt(hostId, 3), read(entryAt(hostId, 3)).replace("variables", "variablez")),
		);
		const changed = await audit("verify", "--write-checkpoint", file("never.json"));
		expect(changed).toMatchObject({
			code: 1,
			stdout: "",
			stderr: `cronium: host ${hostId}, entry 3: the code of the entry is wrong: it was changed or inserted.\n`,
		});
		expect(() => readFileSync(file("never.json"))).toThrow("ENOENT");
		const json = await audit("verify", "--json");
		expect(json.code).toBe(1);
		expect(JSON.parse(json.stdout)).toMatchObject({ chains: [{ host: hostId, count: 6 }], problems: [{ sequence: 3 }] });
	});

	test("a checkpoint of verify or export shows later that the end was cut off", async () => {
		const exported = file("audit.jsonl");
		expect(await audit("export", "--output", exported, "--write-checkpoint", file("a.json"))).toMatchObject({
			code: 0,
			stdout: "",
		});
		expect((await audit("verify", "--checkpoint", file("a.json"), "--write-checkpoint", file("b.json"))).code).toBe(0);
		expect(readFileSync(file("a.json"), "utf8")).toBe(readFileSync(file("b.json"), "utf8"));
		const lines = readFileSync(exported, "utf8").trimEnd().split("\n");
		expect(lines.map((line) => JSON.parse(line).sequence)).toEqual([1, 2, 3, 4, 5, 6]);
		expect((await audit("export")).stdout).toBe(readFileSync(exported, "utf8"));
		expect(readFileSync(exported, "utf8")).not.toContain("secret");
		await tamper(data, ({ remove }) => remove(entryAt(hostId, 6)));
		expect((await audit("verify")).code).toBe(0);
		expect(await audit("verify", "--checkpoint", file("a.json"))).toMatchObject({
			code: 1,
			stderr: `cronium: host ${hostId}, entry 6: the chain was cut off here; the checkpoint has seen entries up to 6.\n`,
		});
	});

	test("wrong usage ends with 2 and harms no file", async () => {
		writeFileSync(file("other.json"), '{"chains":[{"host":1}]}');
		for (const [argv, message] of [
			[["list", "--type", "x"], '--type is "x"; it must be chain, control, effect, denied, authentication-failure.'],
			[
				["list", "--since", "yesterday"],
				'--since is "yesterday"; it must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 1d.',
			],
			[["list", "--since", "2026-99-99"], '--since is "2026-99-99"; it must be a time'],
			[["verify", "--checkpoint", file("none.json")], "cannot be read: ENOENT"],
			[["verify", "--checkpoint", file("other.json")], "is no checkpoint"],
			[["export", "--output", file("other.json")], "cannot be made: it exists already."],
		] as const) {
			const ended = await audit(...argv);
			expect(ended).toMatchObject({ code: 2, stdout: "" });
			expect(ended.stderr).toContain(message);
		}
		expect(readFileSync(file("other.json"), "utf8")).toBe('{"chains":[{"host":1}]}');
	});
});
