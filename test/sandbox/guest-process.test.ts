import { execFile, spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { createHost, type Host, type RunOptions } from "../../host/index.ts";
import { temporaryDirectory } from "../store/directory.ts";
import { guestProcesses, isRunning } from "./guest-processes.ts";

const script = (source: string): Pick<RunOptions, "script"> => ({ script: { name: "guest.js", source } });

describe.each([
	["thread", "threads"],
	["process", "process"],
] as const)("a script in a %s", (_, guests) => {
	let host: Host;
	beforeAll(async () => {
		host = await createHost({ guests, limits: { maxWorkers: 2, cancelGraceMs: 100 } });
	});
	afterAll(() => host.dispose());

	test("has all helpers", async () => {
		const outcome = await host.run({
			...script(`
				import * as c from "cronium";
				console.log("printed"); console.error("to stderr");
				await c.log.warn("logged", { a: 1 });
				await c.setCondition(false);
				const first = await c.setVariable("a/ü", { n: 1.50 });
				const entry = await c.getVariableEntry("a/ü");
				await c.setVariable("number", 41);
				const conflict = await c.setVariable("a/ü", 2, { ifAbsent: true }).catch(({ code }) => code);
				const invalid = await c.setVariable("\\ud800", 2).catch(({ code }) => code);
				const large = await c.setVariable("large", "x".repeat(2 ** 21)).catch(({ code }) => code);
				const { keys } = await c.listVariables();
				await c.setOutput("overwritten");
				export default async (input) => [
					input, await c.getInput(), entry.value, entry.metadata.version === first, await c.incrementVariable("number"), conflict, invalid, large,
					await c.deleteVariable("number"), await c.getVariable("number"), await c.getCondition(), (await c.getEventContext()).name, "🎈",
				];`),
			input: '{"i":"ü🎈"}',
			event: { name: "nightly" },
			namespace: `helpers-${guests}`,
		});
		expect(outcome.error).toBeUndefined();
		expect(outcome.output).toEqual([
			...[{ i: "ü🎈" }, { i: "ü🎈" }, { n: 1.5 }, true, 42, "conflict", "invalid", "too-large"],
			...[true, null, false, "nightly", "🎈"],
		]);
		expect(outcome.logs.map(({ source, level, message }) => [source, level, message])).toEqual([
			["stdout", "info", "printed"],
			["stderr", "warn", "to stderr"],
			["log", "warn", "logged"],
		]);
		const journal = await host.executions.journal(outcome.executionId);
		expect(journal.map(({ sequence }) => sequence)).toEqual(journal.map((_, index) => index + 1));
		expect(await host.executions.outcome(outcome.executionId)).toEqual(outcome);
	});

	test.each([
		["a loop", "for (;;);"],
		["a wait", "await new Promise((resolve) => setTimeout(resolve, 1e6))"],
		["a built-in that does not poll", "Array(1e8).join('x')"],
		["calls without end", "for (;;) await cronium.getVariable('a')"],
		["output without end", "for (;;) console.log('x'.repeat(1000))"],
	])("ends at its deadline in %s", async (_, source) => {
		const outcome = await host.run({ ...script(source), limits: { maxWallTimeMs: 300 } });
		expect(outcome).toMatchObject({ status: "timed-out", error: { code: "wall-time-exceeded" } });
	});

	test.each([
		["a loop", "for (;;);"],
		["a wait", "await new Promise((resolve) => setTimeout(resolve, 1e6))"],
		["a built-in that does not poll", "Array(1e8).join('x')"],
	])("can be cancelled in %s, and keeps what it did before", async (_, source) => {
		const abort = new AbortController();
		const outcome = await host.run({
			...script(`await cronium.setOutput("kept"); console.log("begun"); await cronium.getInput(); ${source}`),
			signal: abort.signal,
			onLog: () => abort.abort(),
		});
		expect(outcome).toMatchObject({ status: "cancelled", output: "kept", error: { code: "cancelled" } });
	});

	test.skipIf(process.platform !== "linux").each([
		["a loop", "for (;;);"],
		["a built-in that does not poll", "for (;;) Array(3e7).join('x')"],
	])("ends with its processor time in %s", async (_, source) => {
		const outcome = await host.run({ ...script(source), limits: { maxCpuTimeMs: 200 } });
		expect(outcome).toMatchObject({ status: "timed-out", error: { code: "cpu-time-exceeded" } });
	});

	test.each([
		["memory", "const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1))", "memory-exceeded"],
		["stack", "(function f() { return f() + 1; })()", "stack-exceeded"],
		["calls", "for (;;) await cronium.getCondition()", "host-calls-exceeded"],
		["calls that wait", "for (;;) cronium.setVariable('a', 1)", "pending-calls-exceeded"],
		["promises that nobody settles", "await new Promise(() => {})", "never-settled"],
	])("meets the limit of %s", async (_, source, code) => {
		const limits = { maxMemoryBytes: 32 * 1024 * 1024, maxHostCalls: 5_000 };
		expect(await host.run({ ...script(source), limits })).toMatchObject({ status: "failed", error: { code } });
	});

	test("has a log that is full at its limit, and runs on", async () => {
		const outcome = await host.run({
			...script(
				"process: for (let i = 0; i < 200; i++) console.log('x'.repeat(1000) + '\\nshort'); cronium.setOutput('ended'); export {}",
			),
			limits: { maxLogBytes: 20_000, maxLogLineBytes: 500 },
		});
		expect(outcome).toMatchObject({ status: "succeeded", output: "ended" });
		expect(outcome.logs.at(-1)).toMatchObject({ source: "system", message: expect.stringContaining("maxLogBytes") });
		expect(outcome.logs[0]?.message).toMatch(/^x+ \[cut: the limit maxLogLineBytes is 500 bytes\]$/);
		expect(outcome.logs[1]?.message).toBe("short");
		expect(outcome.usage.logBytes).toBeLessThanOrEqual(20_000);
	});

	test("fetches from the hosts that it was given, with a journal, and from no others", async () => {
		const server = createServer((request, response) => {
			request.on("data", () => undefined);
			request.on("end", () =>
				request.url === "/never" ? undefined : response.end(`you asked ${request.method} ${request.url}`),
			);
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		try {
			const { port } = server.address() as AddressInfo;
			const outcome = await host.run({
				...script(`
					const url = "http://127.0.0.1:${port}";
					const abort = new AbortController();
					const aborted = fetch(url + "/never", { signal: abort.signal }).catch(({ name }) => name);
					const text = await (await fetch(url + "/a", { method: "POST", body: "ü" })).text();
					const refused = await fetch("http://127.0.0.2:${port}").catch(({ code, message }) => [code, message]);
					abort.abort();
					export default async () => [text, ...refused, await aborted];`),
				allowedHosts: [`127.0.0.1:${port}`],
			});
			expect(outcome.output).toEqual(["you asked POST /a", "denied", expect.stringContaining("--allow-host"), "AbortError"]);
			const journal = await host.executions.journal(outcome.executionId);
			expect(journal.map(({ operation }) => operation)).toContain("sandbox.fetch");
		} finally {
			server.closeAllConnections();
			server.close();
		}
	});

	test("has the second engine, too", async () => {
		const outcome = await host.run({
			...script("export default async () => (await cronium.getInput()) + 1"),
			input: "1",
			engine: "quickjs-emscripten",
		});
		expect(outcome).toMatchObject({ status: "succeeded", output: 2 });
	});
});

test("a host refuses guests in another place", async () => {
	await expect(createHost({ guests: "elsewhere" as "process" })).rejects.toMatchObject({
		code: "invalid",
		message: expect.stringContaining("threads, process"),
	});
});

describe.skipIf(process.platform !== "linux")("a process that runs scripts", () => {
	afterEach(() => vi.restoreAllMocks());

	test("takes its run along when it is killed, and another one comes", async () => {
		const warnings = vi.spyOn(process, "emitWarning").mockReturnValue();
		await using host = await createHost({ guests: "process", limits: { maxWorkers: 1 } });
		const outcome = await host.run({
			...script(
				"await cronium.setOutput('before'); console.log('begun'); await new Promise((resolve) => setTimeout(resolve, 1e6))",
			),
			onLog: () => {
				for (const pid of guestProcesses(process.pid)) process.kill(pid, "SIGKILL");
			},
		});
		expect(outcome).toMatchObject({ status: "failed", output: "before", error: { code: "internal" } });
		expect(warnings).toHaveBeenCalledWith(expect.stringContaining("ended by SIGKILL"), "CroniumWarning");
		expect((await host.executions.journal(outcome.executionId)).map(({ operation }) => operation)).toContain("io.set-output");
		expect(await host.run(script("export default () => 1"))).toMatchObject({ status: "succeeded", output: 1 });
	});

	test("is gone when its host has been disposed of", async () => {
		const host = await createHost({ guests: "process", limits: { maxWorkers: 2 } });
		await Promise.all([host.run(script("")), host.run(script(""))]);
		const pids = guestProcesses(process.pid);
		expect(pids.length).toBeGreaterThan(0);
		await host.dispose();
		expect(pids.filter(isRunning)).toEqual([]);
	});

	test("ends by itself when its host is killed, whether it computes or waits", async () => {
		const program = fileURLToPath(new URL("./doomed-guest-host.ts", import.meta.url));
		const directory = temporaryDirectory();
		onTestFinished(() => directory.remove());
		const child = spawn(process.execPath, [program, directory.path], { stdio: ["ignore", "pipe", "inherit"] });
		onTestFinished(() => void child.kill("SIGKILL"));
		let pids: number[] = [];
		for await (const line of createInterface({ input: child.stdout })) {
			if (line !== "begun") continue;
			pids = guestProcesses(child.pid as number);
			break;
		}
		expect(pids).toHaveLength(3);
		child.kill("SIGKILL");
		await vi.waitFor(() => expect(pids.filter(isRunning)).toEqual([]), { timeout: 10_000 });
	});

	test("cannot be started without descriptors: the host says so, lives, and starts one when it can", async () => {
		const program = fileURLToPath(new URL("./exhausted-host.ts", import.meta.url));
		const command = 'ulimit -n 128 && exec "$0" "$1"';
		const { stdout } = await promisify(execFile)("bash", ["-c", command, process.execPath, program], { timeout: 25_000 });
		expect(JSON.parse(stdout)).toEqual(["succeeded", "failed internal", "succeeded", "gone"]);
	});
});
