import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildSdks, type SdkGuest, startGuest } from "../conformance/sdk-guests.ts";
import { type AgentHost, openAgentHost, type RunAtAgent, type RunningAgent, until } from "./agent-host.ts";
import { type BridgeClient, connectBridge } from "./bridge-client.ts";
import { openUnsteadyLine, type UnsteadyLine } from "./unsteady-line.ts";

const cutMs = 5_000;
const sdks = ["JavaScript", "Python", "Bash"] as const;

let agents: AgentHost;
let directory: string;
let line: UnsteadyLine;
let agent: RunningAgent;
let idle: BridgeClient;
beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), "cronium-lines-"));
	buildSdks(directory);
	agents = await openAgentHost();
	line = await openUnsteadyLine(agents.server.port);
	agent = await agents.startAgent({ address: line.address });
	idle = await connectBridge(agents);
});
afterAll(async () => {
	expect(agents.internalErrors).toEqual([]);
	await agent[Symbol.asyncDispose]();
	await line[Symbol.asyncDispose]();
	await agents[Symbol.asyncDispose]();
	await rm(directory, { recursive: true, force: true });
});

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A script of each SDK that writes a variable again and again, each in a run of its own, while something happens to the line. */
async function writeThrough(happen: () => Promise<void>): Promise<void> {
	const scripts: { readonly sdk: string; readonly run: RunAtAgent; readonly guest: SdkGuest }[] = [];
	for (const sdk of sdks) {
		const run = await agents.openRun("web-1", { namespace: `${sdk.toLowerCase()}-${crypto.randomUUID()}` });
		const guest = startGuest(sdk, directory, directory);
		await guest.enter(run.door.environment);
		scripts.push({ sdk, run, guest });
	}
	let isOver = false;
	const writing = scripts.map(async ({ guest }) => {
		let count = 0;
		// At least one while it happens, and one when it has.
		for (let isLast = false; !isLast; count++) {
			isLast = isOver;
			expect(await guest.perform({ name: "incrementVariable", arguments: ["n"] })).toEqual({ text: String(count + 1) });
			expect(await guest.perform({ name: "getVariable", arguments: ["n"] })).toEqual({ text: String(count + 1) });
			await wait(20);
		}
		return count;
	});
	await happen();
	isOver = true;
	const counts = await Promise.all(writing);
	for (const [index, { sdk, run, guest }] of scripts.entries()) {
		await guest[Symbol.asyncDispose]();
		const { namespace } = run.run.execution;
		await run.end();
		// What was written was written once.
		expect(await agents.host.variables(namespace).get("n"), sdk).toBe(String(counts[index]));
	}
}

describe("a script does not notice that the line", { timeout: 60_000 }, () => {
	test("is still for five seconds", async () => {
		const { connections } = line;
		await writeThrough(async () => {
			await wait(300);
			line.stall();
			await wait(cutMs);
			line.resume();
			await wait(300);
		});
		expect(line.connections).toBe(connections);
	});

	test("is cut for five seconds", async () => {
		const { connections } = line;
		await writeThrough(async () => {
			await wait(300);
			line.cut();
			await wait(cutMs);
			line.restore();
			await until(() => agents.server.find("web-1"));
			await wait(300);
		});
		expect(line.connections).toBeGreaterThan(connections);
		expect(agent.said.some((said) => said.includes("trying again"))).toBe(true);
	});
});

describe("an agent that begins again", () => {
	test("has the sockets of the runs that are under way, at the same places", async () => {
		const first = await agents.startAgent({ terms: { host: "again" } });
		const run = await agents.openRun("again");
		expect(await run.call("PUT", "/v1/variables/a", { body: "1" })).toMatchObject({ status: 200 });
		await first[Symbol.asyncDispose]();
		await expect(run.call("GET", "/v1/variables/a")).rejects.toThrow();
		await using _second = await agents.startAgent({ terms: { host: "again" }, directory: first.directory });
		await until(() => existsSync(run.socketPath));
		expect(await run.call("GET", "/v1/variables/a")).toMatchObject({ status: 200, body: 1 });
		await run.end();
	});

	test("is not there twice", async () => {
		await expect(agents.startAgent({ directory: agent.directory })).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining('has the role "agent"'),
		});
	});
});

describe("a bridge that begins again", () => {
	test("gets its agents back, which close the sockets of runs that it does not know", async () => {
		await using elsewhere = await openAgentHost();
		await using its = await elsewhere.startAgent({ requestTimeoutMs: 20_000 });
		const old = await elsewhere.openRun();
		const calls = old.call("GET", "/v1/input").then(({ status }) => status);
		expect(await calls).toBe(200);
		await elsewhere.restartServer(200);
		await until(() => elsewhere.server.find("web-1"));
		await until(() => !existsSync(old.socketPath));
		const run = await elsewhere.openRun();
		expect(dirname(dirname(run.socketPath))).toBe(its.directory);
		expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
		await run.end();
		await old.end();
		expect(elsewhere.internalErrors).toEqual([]);
	});
});

test("who connects without a certificate and does not join is cut", async () => {
	await idle.closed;
});
