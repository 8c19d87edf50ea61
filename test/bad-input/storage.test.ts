import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, type TestContext, test } from "vitest";
import { createHost, type Host, type Outcome } from "../../host/index.ts";
import { otherUser, requireUnprivileged } from "../other-user.ts";

const MiB = 1024 * 1024;
const isRoot = process.getuid?.() === 0;

/** Writes variables until one is refused, and goes on. */
const filler = `export default async function () {
	for (let i = 0; ; i++) try { await cronium.setVariable("fill" + i, "x".repeat(200_000)); } catch (error) {
		await cronium.setCondition(true).catch(() => {});
		return { written: i, code: error.code, message: error.message, retryAfterMs: error.details?.retryAfterMs ?? null };
	}
}`;

let directory = "";
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "cronium-storage-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const run = (host: Host, source: string): Promise<Outcome> => host.run({ script: { name: "storage.js", source } });

describe("a store that is full", () => {
	test("by maxStoreBytes refuses writes with unavailable, keeps final statuses, and works again when something was deleted", async () => {
		await using host = await createHost({ dataDirectory: directory, limits: { maxStoreBytes: 16 * MiB, maxWorkers: 1 } });
		const full = await run(host, filler);
		expect(full).toMatchObject({
			status: "succeeded",
			output: { code: "unavailable", message: expect.stringContaining("maxStoreBytes") },
		});
		expect((full.output as { written: number }).written).toBeGreaterThan(10);
		expect(await host.executions.get(full.executionId)).toMatchObject({ status: "succeeded" });
		// A second run is told the same, or does not begin; both say so and name the limit.
		const second = await run(host, filler).then(
			({ output }) => output,
			(error: unknown) => error,
		);
		expect(second).toMatchObject({ code: "unavailable", message: expect.stringContaining("maxStoreBytes") });
		const variables = host.variables();
		for (let i = 0; i < 10; i++) await variables.delete(`fill${i}`);
		expect(
			await run(
				host,
				"export default async () => { await cronium.setVariable('again', 1); return await cronium.getVariable('again'); }",
			),
		).toMatchObject({ status: "succeeded", output: 1 });
	});

	test("by a full disk refuses writes with unavailable, loses nothing acknowledged, and works again when there is space", async (context) => {
		const disk = mountSmallDisk(context, directory, "12m");
		try {
			const data = join(disk, "data");
			mkdirSync(data, { mode: 0o700 });
			let written = 0;
			{
				await using host = await createHost({ dataDirectory: data, limits: { maxWorkers: 1 } });
				expect(await run(host, "await cronium.setVariable('first', 1)")).toMatchObject({ status: "succeeded" });
				const full = await run(host, filler).then(
					({ output, error }) => ({ ...(output as object), error }),
					(error: unknown) => error,
				);
				expect(full).toMatchObject({ code: "unavailable" });
				expect(JSON.stringify(full)).not.toContain(disk);
				written = (full as { written?: number }).written ?? 0;
				expect(written).toBeGreaterThan(5);
				// What was acknowledged before the disk was full can be read while it is.
				for (const i of [0, written - 1]) expect(await host.variables().get(`fill${i}`)).toHaveLength(200_002);
				execFileSync("mount", ["-o", "remount,size=40m", disk]);
				const again = await run(
					host,
					"export default async () => { await cronium.setVariable('again', 1); return (await cronium.listVariables({ prefix: 'fill', limit: 1000 })).items.length; }",
				);
				expect(again).toMatchObject({ status: "succeeded", output: written });
			}
			await using reopened = await createHost({ dataDirectory: data });
			expect(await run(reopened, "export default () => cronium.getVariable('again')")).toMatchObject({
				status: "succeeded",
				output: 1,
			});
		} finally {
			execFileSync("umount", [disk]);
		}
	});
});

describe("a data directory that cannot be used", () => {
	test("because it is a file is refused by name", async () => {
		const file = join(directory, "file");
		writeFileSync(file, "");
		await expect(createHost({ dataDirectory: file })).rejects.toMatchObject({
			name: "RuntimeError",
			code: "unavailable",
			message: expect.stringContaining(file),
		});
	});

	test("because the store in it is no store is refused and stays as it is", async () => {
		const data = join(directory, "data");
		{
			await using host = await createHost({ dataDirectory: data });
			expect(await run(host, "await cronium.setVariable('k', 1)")).toMatchObject({ status: "succeeded" });
		}
		writeFileSync(join(data, "store.lmdb"), "this is no store\n".repeat(1_000));
		// In a process of its own: a store that is not checked before it is mapped ends the process that opens it.
		expect(openElsewhere(data)).toMatchObject({ name: "RuntimeError", code: expect.stringMatching(/unavailable|internal/) });
	});

	test.for([
		["may not be entered", 0o000],
		["may not be written", 0o500],
		["may not be listed", 0o300],
	] as const)("because it %s is refused with the reason", ([, mode], context) => {
		const identity = requireUnprivileged(context);
		const data = join(directory, "data");
		mkdirSync(data, { mode: 0o700 });
		chmodSync(directory, 0o755);
		if (isRoot) chownSync(data, otherUser.uid, otherUser.gid);
		chmodSync(data, mode);
		expect(openElsewhere(data, identity)).toMatchObject({
			name: "RuntimeError",
			code: "unavailable",
			message: expect.stringMatching(/EACCES|permission|cannot be used/i),
		});
		chmodSync(data, 0o700);
		expect(openElsewhere(data, identity)).toEqual({ opened: true });
	});

	test("because its parent may not be written is refused with the reason", (context) => {
		const identity = requireUnprivileged(context);
		chmodSync(directory, 0o555);
		expect(openElsewhere(join(directory, "data"), identity)).toMatchObject({
			name: "RuntimeError",
			code: "unavailable",
			message: expect.stringMatching(/EACCES|permission|cannot be used/i),
		});
		chmodSync(directory, 0o700);
	});

	test("because it belongs to somebody else is refused, for root as well", async (context) => {
		if (!isRoot) return skip(context, "only root can give a directory away");
		const data = join(directory, "data");
		mkdirSync(data, { mode: 0o700 });
		chownSync(data, 65_534, 65_534);
		await expect(createHost({ dataDirectory: data })).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("65534"),
		});
	});

	test("because its path is too long for a socket is refused with the reason, or works, and leaves no thread behind", async () => {
		const data = join(directory, "d".repeat(120));
		const before = process.getActiveResourcesInfo().filter((type) => type === "MessagePort" || type === "Worker").length;
		const error = await createHost({ dataDirectory: data }).then(
			async (host) => {
				await using _ = host;
				expect(await run(host, "export default () => 1")).toMatchObject({ status: "succeeded", output: 1 });
			},
			(cause: unknown) => cause,
		);
		if (error)
			expect(error).toMatchObject({
				name: "RuntimeError",
				code: expect.stringMatching(/invalid|unavailable/),
				message: expect.stringMatching(/\d+/),
			});
		await expect
			.poll(() => process.getActiveResourcesInfo().filter((type) => type === "MessagePort" || type === "Worker").length, {
				timeout: 5_000,
			})
			.toBeLessThanOrEqual(before);
	});

	test("leaves nothing behind: the same process opens another directory", async () => {
		await createHost({ dataDirectory: "/dev/null/cronium" }).then(
			() => expect.fail("/dev/null took a directory"),
			(error) => expect(error).toMatchObject({ code: "unavailable" }),
		);
		await using host = await createHost({ dataDirectory: directory });
		expect(await run(host, "export default () => 1")).toMatchObject({ status: "succeeded", output: 1 });
	});
});

/** Makes a host in another process; what came of it. */
function openElsewhere(dataDirectory: string, identity: { readonly uid?: number; readonly gid?: number } = {}): unknown {
	const index = fileURLToPath(new URL("../../host/index.ts", import.meta.url));
	const source = `import { createHost } from ${JSON.stringify(index)};
		try { const host = await createHost({ dataDirectory: ${JSON.stringify(dataDirectory)} }); const { status } = await host.run({ script: { name: "x.js", source: "" } }); await host.dispose(); console.log(JSON.stringify({ opened: status === "succeeded" })); }
		catch (error) { console.log(JSON.stringify({ name: error.name, code: error.code, message: error.message })); }`;
	const child = spawnSync(process.execPath, ["--input-type=module", "--eval", source], {
		encoding: "utf8",
		cwd: "/",
		env: { TMPDIR: tmpdir() },
		timeout: 20_000,
		...identity,
	});
	if (child.status !== 0) throw new Error(`The process ended with ${child.status ?? child.signal}: ${child.stderr}`);
	return JSON.parse(child.stdout);
}

/** Mounts a file system in memory that holds no more than `size`. */
function mountSmallDisk(context: TestContext, parent: string, size: string): string {
	if (!isRoot) skip(context, "only root can mount a small disk");
	const disk = join(parent, "disk");
	mkdirSync(disk);
	const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", disk], { encoding: "utf8" });
	if (mounted.status !== 0) skip(context, `mount of a small disk failed: ${mounted.stderr}`);
	return disk;
}

/** A machine that cannot run a test may skip it, with the reason; the machine that guards the main branch may not. */
function skip(context: TestContext, reason: string): void {
	if (process.env.CI) throw new Error(`This test must run here, but ${reason}.`);
	context.skip(reason);
}
