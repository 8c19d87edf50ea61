import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createHost, type Host } from "../host/index.ts";
import { type RunningServer, serve } from "../host/serve.ts";
import { temporaryDirectory } from "./store/directory.ts";

const script = (source: string) => ({ name: "test.js", source });
const endless = "await new Promise((resolve) => setTimeout(resolve, 60_000));";
const maxWallTimeMs = 60_000;

describe("a host with a namespace that floods it", () => {
	const countRunning = async (host: Host, namespace: string): Promise<number> =>
		(await host.executions.list({ namespace, status: "running", limit: 1_000 })).length;

	test("has a worker left for another namespace, while every run of the flood runs or waits", async () => {
		await using host = await createHost({ limits: { maxWorkers: 3 } });
		const flood = new AbortController();
		const flooding = Array.from({ length: 40 }, () =>
			host.run({ namespace: "flood", script: script(endless), limits: { maxWallTimeMs }, signal: flood.signal }),
		);
		await vi.waitFor(async () => expect(await countRunning(host, "flood")).toBe(2), { timeout: 20_000 });
		for (let index = 0; index < 5; index++)
			expect(await host.run({ namespace: "calm", script: script("export default () => 1") })).toMatchObject({ output: 1 });
		expect(await countRunning(host, "flood")).toBe(2);
		expect(await host.executions.list({ namespace: "flood", status: "created" })).toHaveLength(38);
		flood.abort();
		for (const outcome of await Promise.all(flooding)) expect(outcome.status).toBe("cancelled");
	});

	test("serves the others in turn when the flood has short runs", async () => {
		await using host = await createHost({ limits: { maxWorkers: 1 } });
		const order: string[] = [];
		const run = (namespace: string) =>
			host
				.run({ namespace, script: script("await new Promise((resolve) => setTimeout(resolve, 2));") })
				.then(() => void order.push(namespace));
		await Promise.all([
			...Array.from({ length: 60 }, () => run("flood")),
			...Array.from({ length: 6 }, () => run("calm")),
			...Array.from({ length: 6 }, () => run("quiet")),
		]);
		// In one queue they would come after the sixty. In turn every third is theirs, but for the first of the flood.
		expect(order.lastIndexOf("calm")).toBeLessThan(25);
		expect(order.lastIndexOf("quiet")).toBeLessThan(25);
	});

	test("opens external runs for others", async () => {
		await using host = await createHost({ limits: { maxWorkers: 1, maxExternalRuns: 8, maxNamespaceExternalRuns: 6 } });
		// All at once: those that are not written down yet count, too.
		const opened = await Promise.allSettled(Array.from({ length: 20 }, () => host.open({ namespace: "flood" })));
		expect(opened.filter(({ status }) => status === "fulfilled")).toHaveLength(6);
		await expect(host.open({ namespace: "flood" })).rejects.toMatchObject({
			code: "unavailable",
			details: { limit: { name: "maxNamespaceExternalRuns", value: 6 } },
		});
		const other = await host.open({ namespace: "calm" });
		other.end({ status: "succeeded" });
		await other.outcome;
		for (const run of opened) if (run.status === "fulfilled") run.value.end({ status: "succeeded" });
		for (const run of opened) if (run.status === "fulfilled") await run.value.outcome;
		// Their places are free again.
		(await host.open({ namespace: "flood" })).end({ status: "succeeded" });
	});

	test("gives the place back of a run that was refused for its options, could not be parsed, or was cancelled", async () => {
		await using host = await createHost({ limits: { maxWorkers: 1, maxQueuedRuns: 0 } });
		for (let index = 0; index < 3; index++) {
			await expect(host.run({ script: script(""), limits: { maxWallTimeMs: 0 } })).rejects.toMatchObject({ code: "invalid" });
			expect(await host.run({ script: { name: "a.ts", source: "enum {" } })).toMatchObject({ status: "failed" });
			expect(await host.run({ script: script(endless), signal: AbortSignal.abort() })).toMatchObject({ status: "cancelled" });
		}
	});
});

describe("a server with a namespace that floods it with runs and writes", () => {
	const directory: { current?: ReturnType<typeof temporaryDirectory> } = {};
	let server: RunningServer;
	beforeEach(async () => {
		directory.current = temporaryDirectory();
		const anywhere = { host: "127.0.0.1", port: 0 };
		server = await serve({
			dataDirectory: directory.current.path,
			listen: anywhere,
			controlListen: anywhere,
			drainMs: 0,
			limits: { maxWorkers: 4, maxNamespaceQueuedRuns: 30 },
		});
	});
	afterEach(async () => {
		await server.close();
		directory.current?.remove();
	});

	async function control(method: string, path: string, body?: object) {
		const answer = await fetch(`${server.controlUrl}/control/v1${path}`, {
			method,
			headers: {
				authorization: `Bearer ${readFileSync(server.operatorTokenFile, "utf8").trim()}`,
				...(body && { "content-type": "application/json" }),
			},
			...(body && { body: JSON.stringify(body) }),
		});
		// biome-ignore lint/suspicious/noExplicitAny: what it is depends on the route, and the test says what it expects.
		return { status: answer.status, headers: answer.headers, body: (await answer.json()) as any };
	}

	const writing = script(`
		import { incrementVariable, setVariable } from "cronium";
		for (;;) await Promise.all([incrementVariable("rounds"), ...Array.from({ length: 200 }, (_, n) => setVariable("k" + n, "x".repeat(500)))]);`);
	const counting = script(`
		import { incrementVariable } from "cronium";
		for (let n = 0; n < 20; n++) await incrementVariable("n");
		export default () => incrementVariable("n");`);

	test("refuses what is too much of it, and has another's run started, its writes acknowledged and its end answered meanwhile", async () => {
		let stopped = false;
		const refused: Awaited<ReturnType<typeof control>>[] = [];
		const flood = async (): Promise<void> => {
			while (!stopped) {
				const answer = await control("POST", "/runs", { namespace: "flood", script: writing, limits: { maxWallTimeMs } });
				if (answer.status !== 201) refused.push(answer);
			}
		};
		const floods = Array.from({ length: 4 }, flood);
		await using _ending = {
			[Symbol.asyncDispose]: async () => {
				stopped = true;
				await Promise.all(floods);
			},
		};
		const rounds = async (): Promise<number> => (await control("GET", "/namespaces/flood/variables/rounds")).body;
		const list = async (query: string) => (await control("GET", `/runs?limit=500&${query}`)).body.runs as unknown[];
		await vi.waitFor(async () => expect(refused.length > 0 && (await rounds()) > 0).toBe(true), { timeout: 30_000 });
		await vi.waitFor(async () => expect(await list("namespace=flood&status=running")).toHaveLength(3), { timeout: 30_000 });

		const before = await rounds();
		const { body: run } = await control("POST", "/runs", { namespace: "calm", script: counting, limits: { maxWallTimeMs } });
		const { status, body: outcome } = await control("GET", `/runs/${run.id}/outcome?waitMs=30000`);
		expect({ status, outcome }).toMatchObject({ status: 200, outcome: { status: "succeeded", output: 21 } });

		// Not one run of the flood has ended, and it went on writing.
		expect(await list("namespace=flood&status=running")).toHaveLength(3);
		expect(await list("namespace=flood&status=created")).toHaveLength(30);
		expect(await list("namespace=flood")).toHaveLength(33);
		expect(await rounds()).toBeGreaterThan(before);
		stopped = true;
		await Promise.all(floods);
		for (const answer of refused) {
			expect(answer).toMatchObject({
				status: 503,
				body: {
					code: "unavailable",
					limit: { name: "maxNamespaceQueuedRuns", value: 30 },
					detail: expect.stringContaining("namespace flood"),
				},
			});
			expect(answer.headers.get("retry-after")).toBe("1");
		}
	});
});
