import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { resolveLimits } from "../../host/contract/limits.ts";
import { SandboxExecutor } from "../../host/executors/sandbox.ts";
import type { Host } from "../../host/host.ts";
import { assembleHost } from "../../host/host-assembly.ts";
import type { JavaScriptEngine } from "../../host/sandbox/engine.ts";
import type { ScriptWorker } from "../../host/sandbox/script-worker.ts";
import { threadWorkers } from "../../host/sandbox/thread-worker.ts";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";

const limits = resolveLimits({ maxWorkers: 2 });
const engine = "quickjs-wasi";
const workers: ScriptWorker[] = [];
/** The worker of each job, in the order in which they were taken. */
const takers: ScriptWorker[] = [];
let directory: string;
let host: Host;

/** A host as every other, whose workers say which jobs they take. */
beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), "cronium-test-"));
	const opened = new AsyncDisposableStack();
	const store = await openLmdbStore({ directory, maxStoreBytes: limits.maxStoreBytes });
	opened.defer(() => store.close());
	const start = threadWorkers({ engine, limits, connect: async () => store.connect() });
	const executor = opened.use(
		new SandboxExecutor({
			limits,
			forbiddenPorts: [],
			startWorker: (events) => {
				const worker = start(events);
				const run = worker.run.bind(worker);
				workers.push(worker);
				worker.run = (job) => {
					takers.push(worker);
					return run(job);
				};
				return worker;
			},
		}),
	);
	host = await assembleHost({ directory, containers: {}, auditId: undefined, store, executor, limits, engine, opened });
});

afterAll(async () => {
	await host.dispose();
	await rm(directory, { recursive: true });
});

async function run(name: JavaScriptEngine, namespace = "own"): Promise<ScriptWorker> {
	const source = "export default () => new Promise((resolve) => setTimeout(() => resolve(1), 100))";
	expect(await host.run({ script: { name: "x.js", source }, engine: name, namespace })).toMatchObject({ output: 1 });
	return takers.at(-1) as ScriptWorker;
}

test("a job goes to a worker that has its engine ready, and leaves the others as they are; none waits while a worker is free", async () => {
	await Promise.all([run(engine), run(engine, "other")]);
	await vi.waitFor(() => expect(workers.map(({ state }) => state)).toEqual(["idle", "idle"]));
	const other = await run("quickjs-emscripten");
	const first = workers.find((worker) => worker !== other) as ScriptWorker;
	for (let turn = 0; turn < 3; turn++) {
		expect(await run(engine)).toBe(first);
		expect(await run("quickjs-emscripten")).toBe(other);
	}
	expect([[...first.engines], [...other.engines]]).toEqual([[engine], [engine, "quickjs-emscripten"]]);
	takers.length = 0;
	await Promise.all([run(engine), run(engine, "other")]);
	expect(new Set(takers)).toEqual(new Set(workers));
	takers.length = 0;
	await Promise.all([run("quickjs-emscripten"), run("quickjs-emscripten", "other")]);
	expect(takers).toEqual([other, first]);
});
