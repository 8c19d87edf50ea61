import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { resolveLimits } from "../../host/contract/limits.ts";
import { SandboxExecutor } from "../../host/executors/sandbox.ts";
import { assembleHost } from "../../host/host-assembly.ts";
import { type Host, type Outcome, openAuditTrail, type RunOptions } from "../../host/index.ts";
import { processWorkers } from "../../host/sandbox/process-worker.ts";
import { createHostId } from "../../host/store/hosts.ts";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";

const engine = "quickjs-wasi";
const limits = resolveLimits({
	maxWorkers: 1,
	maxWallTimeMs: 2_000,
	maxHostCalls: 1_000,
	maxLogBytes: 50_000,
	cancelGraceMs: 100,
});
const own = "own";

let directory: string;
let host: Host;
let warnings: ReturnType<typeof vi.spyOn>;

/** A host as every other, whose guest processes have been taken over. */
beforeEach(async () => {
	warnings = vi.spyOn(process, "emitWarning").mockReturnValue();
	directory = await mkdtemp(join(tmpdir(), "cronium-test-"));
	const opened = new AsyncDisposableStack();
	const auditId = createHostId();
	const store = await openLmdbStore({ directory, maxStoreBytes: limits.maxStoreBytes, audit: { hostId: auditId } });
	opened.defer(() => store.close());
	const program = new URL("./hostile-guest.ts", import.meta.url);
	const startWorker = processWorkers({
		engine,
		limits,
		store: Promise.resolve(store),
		pythonImages: join(directory, "images"),
		program,
	});
	const executor = opened.use(new SandboxExecutor({ startWorker, limits, forbiddenPorts: [] }));
	host = await assembleHost({ directory, containers: {}, auditId, store, executor, limits, engine, opened });
});

afterEach(async () => {
	await host.dispose();
	await rm(directory, { recursive: true });
	vi.restoreAllMocks();
});

const run = (deed: string, options: Partial<RunOptions> = {}): Promise<Outcome> =>
	host.run({ script: { name: "hostile.js", source: deed }, input: '"input"', namespace: own, ...options });
/** Of deeds that take all of the machine until their time is over. */
const briefly = { limits: { maxWallTimeMs: 1_000 } };

async function requireUnharmed(): Promise<void> {
	expect(await run("is honest")).toMatchObject({ status: "succeeded", output: "honest" });
}

test.each([
	["sends noise", "a frame of"],
	["announces a frame without end", "a frame of 4294967295 bytes"],
	["sends a frame that is too short", "a frame of 1 bytes"],
	["lies about a length", "a head of 1000000 bytes"],
	["says what only a host says", "a frame of type 99"],
	["is ready twice", "a frame of type 1"],
	["ends with a result that is none", "a result of another shape"],
	["ends with a result that is not JSON", "JSON"],
	["ends with a failure of its own making", "a failure without a code"],
	["ends with amounts that are none", "an amount that is none"],
	["ends with the exit code 256", "an exit code that is none"],
	["ends with the exit code -1", "an amount that is none"],
	["ends with the exit code 0.5", "an exit code that is none"],
	['ends with the exit code "0"', "an amount that is none"],
	["prints more than fits", "10000000 characters printed at once"],
	["exits", "exit code 3"],
	["aborts", "SIGABRT"],
])("a guest process that %s costs its own run, and the host says why", async (deed, reason) => {
	expect(await run(deed)).toMatchObject({
		status: "failed",
		error: { code: "internal", message: "The worker that ran the script broke." },
	});
	expect(warnings).toHaveBeenCalledWith(expect.stringContaining(reason), "CroniumWarning");
	await requireUnharmed();
});

test("what it says it returned is checked as a script's", async () => {
	expect(await run("ends with a value that is not JSON")).toMatchObject({ status: "failed", error: { code: "invalid-output" } });
	await requireUnharmed();
});

test("its exit code is that of the run when the script has failed by itself", async () => {
	expect(await run("ends with an exit code")).toMatchObject({ status: "failed", exitCode: 7, error: { code: "script-error" } });
});

test("one that does not stop is killed", async () => {
	expect(await run("says nothing and does not stop")).toMatchObject({ status: "timed-out" });
	await requireUnharmed();
});

test("nothing takes effect after its end", async () => {
	expect(await run("acts after its end")).toMatchObject({ status: "succeeded" });
	await requireUnharmed();
	expect(await host.variables(own).get("late")).toBeUndefined();
});

test("its calls are decoded and judged where the helpers are: it can name no other namespace, run or host", async () => {
	expect((await run("makes calls that do not exist")).output).toEqual([
		...["unsupported", "unsupported", "invalid", "invalid", "denied"],
		'"input"',
	]);
	expect(await host.variables("other").get("k")).toBeUndefined();
});

test("its calls are counted by the host", async () => {
	expect((await run("makes more calls than it may")).output).toBe(1_000);
});

test("answers that it does not take do not fill the host's memory", async () => {
	await host.variables(own).set("large", JSON.stringify("x".repeat(1_000_000)));
	const before = process.memoryUsage().rss;
	let most = 0;
	const timer = setInterval(() => {
		most = Math.max(most, process.memoryUsage().rss - before);
	}, 20);
	expect(await run("asks for much and takes nothing", briefly)).toMatchObject({ status: "timed-out" });
	clearInterval(timer);
	expect(most).toBeLessThan(300 * 1024 * 1024);
	await requireUnharmed();
});

test.each(["writes without waiting", "prints without waiting"])(
	"one that %s does not keep the host from its other work",
	async (deed) => {
		const running = run(deed, briefly);
		for (let turn = 0; turn < 50; turn++) {
			await host.variables("other").set("k", String(turn));
			await delay(1);
		}
		const outcome = await running;
		expect(outcome.status).toBe("timed-out");
		expect(outcome.usage.logBytes).toBeLessThanOrEqual(50_000);
		expect(await host.variables("other").get("k")).toBe("49");
		await requireUnharmed();
	},
);

test("the audit log has of it what the host has judged, and nothing that it says itself", async () => {
	await run("acts after its end");
	await run("sends noise");
	const { executionId: execution } = await run("is honest");
	await host.dispose();
	await using trail = await openAuditTrail(directory);
	expect(await trail.verify()).toMatchObject({ problems: [] });
	expect(await trail.list({ type: "effect" })).toMatchObject([{ entry: { execution, operation: "io.set-output" } }]);
});
