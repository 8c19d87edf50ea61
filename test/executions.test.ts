import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RuntimeError } from "../host/contract/errors.ts";
import { resolveLimits } from "../host/contract/limits.ts";
import { type Ending, type ExecutionRecord, Executions } from "../host/executions.ts";
import { createHost } from "../host/index.ts";
import { layout } from "../host/layout.ts";
import { createMemoryStore } from "../host/store/memory-store.ts";
import type { Store } from "../host/store/store.ts";

/** A process with a host whose run waits for ever; prints the id of the run once it has begun. */
const foreignHost = `
import { createHost } from ${JSON.stringify(new URL("../host/index.ts", import.meta.url).href)};
const host = await createHost({ dataDirectory: process.argv[1], limits: { maxWorkers: 1 } });
host.run({
	script: { name: "wait.js", source: 'import { setOutput, getEventContext } from "cronium"; await setOutput("so far"); console.log((await getEventContext()).execution.id); await new Promise((resolve) => setTimeout(resolve, 60_000))' },
	onLog: ({ message }) => console.log(message),
});
`;

describe("runs of another process", () => {
	let directory: string;
	let child: ReturnType<typeof spawn>;
	let id: string;
	beforeEach(async () => {
		directory = await mkdtemp(join(tmpdir(), "cronium-test-"));
		child = spawn(process.execPath, ["--input-type=module", "-e", foreignHost, directory], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		if (!child.stdout) throw new Error("The child's output is piped.");
		for await (const line of createInterface({ input: child.stdout })) {
			id = line;
			break;
		}
	});
	afterEach(async () => {
		// One that is still dying may make its store again.
		const gone = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
		child.kill("SIGKILL");
		await gone;
		await rm(directory, { recursive: true });
	});

	test("are not taken for lost while their host lives, also when it is stopped by a signal", async () => {
		// Not in the middle of a write, which would hold up the writes of everybody.
		await wait(500);
		child.kill("SIGSTOP");
		await using host = await createHost({ dataDirectory: directory, limits: { maxWorkers: 1 } });
		expect(await host.executions.get(id)).toMatchObject({ status: "running" });
	});

	test("are ended as lost once their host has died, and keep what was acknowledged", async () => {
		const gone = new Promise((resolve) => child.once("exit", resolve));
		child.kill("SIGKILL");
		await gone;
		await using host = await createHost({ dataDirectory: directory, limits: { maxWorkers: 1 } });
		expect(await host.executions.outcome(id)).toMatchObject({
			status: "lost",
			exitCode: 1,
			output: "so far",
			error: { code: "lost" },
		});
		expect((await host.executions.journal(id)).map(({ operation }) => operation)).toContain("io.set-output");
	});
});

describe("the end of a run whose remains the store has no room for", () => {
	const record: ExecutionRecord = {
		id: "01a20000-0000-7000-8000-000000000000",
		namespace: "tests",
		hostId: "host",
		event: {},
		mode: "sandbox",
		attempt: 1,
		scopes: [],
		limits: resolveLimits(),
		allowedHosts: [],
		startedAt: 1,
		deadlineAt: 2,
		status: "running",
		script: { name: "a.js", sha256: "", bytes: 0 },
		createdAt: 1,
	};
	const ending: Ending = {
		status: "succeeded",
		usage: { wallTimeMs: 1, cpuTimeMs: 1, memoryBytes: 1, hostCalls: 1, logBytes: 0 },
		startedAt: 1,
		deadlineAt: 2,
		operations: [{ type: "set", key: layout.output(record.id, 1), value: '"x"' }],
	};
	/** A store that takes no more, except into the space that is kept for final statuses. */
	function createFullStore(reserveIsFull = false): { readonly store: Store; fill(): void } {
		const inner = createMemoryStore();
		let full = false;
		const store: Store = {
			...inner,
			async commit(transaction) {
				if (full && (!transaction.reserve || reserveIsFull)) throw new RuntimeError("unavailable", "The store is full.");
				return inner.commit(transaction);
			},
		};
		return {
			store,
			fill: () => {
				full = true;
			},
		};
	}

	test("is its status alone, and says what is missing", async () => {
		const { store, fill } = createFullStore();
		const executions = new Executions(store);
		await executions.create(record, undefined, []);
		fill();
		const { record: ended, complete } = await executions.end(record, ending);
		expect(complete).toBe(false);
		expect(ended).toMatchObject({
			status: "failed",
			exitCode: 1,
			error: { code: "internal", message: expect.stringMatching(/could not be stored.*full/) },
		});
		expect(await executions.get(record.id)).toEqual(ended);
		expect(await executions.output(record.id)).toBeUndefined();
		expect(await store.get(layout.live(record.hostId, record.id))).toBeUndefined();
	});

	test("is found as lost when not even that can be written", async () => {
		const { store, fill } = createFullStore(true);
		const executions = new Executions(store);
		await executions.create(record, undefined, []);
		fill();
		await expect(executions.end(record, ending)).rejects.toMatchObject({ code: "unavailable" });
		expect(await executions.get(record.id)).toMatchObject({ status: "running" });
	});

	test("that someone else ended first stays as that one left it", async () => {
		const executions = new Executions(createMemoryStore());
		await executions.create(record, undefined, []);
		await executions.end(record, { ...ending, status: "lost", operations: [] });
		const { record: ended, complete } = await executions.end(record, ending);
		expect({ complete, status: ended.status }).toEqual({ complete: false, status: "lost" });
		expect(await executions.output(record.id)).toBeUndefined();
	});

	test("live runs are never ended as lost by a host that sees them answer", async () => {
		const executions = new Executions(createMemoryStore());
		await executions.create(record, undefined, []);
		expect(await executions.endLost(async () => true)).toEqual([]);
		expect(await executions.get(record.id)).toMatchObject({ status: "running" });
		expect(await executions.endLost(async () => false)).toEqual([record.id]);
		expect(await executions.get(record.id)).toMatchObject({ status: "lost" });
	});
});
