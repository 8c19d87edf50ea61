import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openConnection } from "../send-request.ts";
import { type ControlServer, credential, openControlServer } from "./control-server.ts";

let server: ControlServer;
beforeAll(async () => {
	server = await openControlServer();
});
afterAll(async () => {
	expect(server.internalErrors).toEqual([]);
	await server[Symbol.asyncDispose]();
});

interface Event {
	readonly id?: string;
	readonly event?: string;
	readonly data?: string;
}

/** The events of a stream, as they come. */
async function* readEvents(path: string, headers: Record<string, string> = {}, signal?: AbortSignal): AsyncGenerator<Event> {
	const response = await fetch(server.url + path, {
		headers: { authorization: `Bearer ${credential}`, accept: "text/event-stream", ...headers },
		...(signal && { signal }),
	});
	expect(response.headers.get("content-type")).toContain("text/event-stream");
	let text = "";
	for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
		text += chunk;
		for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
			const fields = text
				.slice(0, end)
				.split("\n")
				.filter((line) => !line.startsWith(":"))
				.map((line) => /^(\w+): (.*)$/s.exec(line)?.slice(1, 3) as [string, string]);
			text = text.slice(end + 2);
			if (fields.length > 0) yield Object.fromEntries(fields);
		}
	}
}

async function collect(events: AsyncIterable<Event>): Promise<Event[]> {
	const all: Event[] = [];
	for await (const event of events) all.push(event);
	return all;
}

/** A script that prints a line, and the next one when a variable has been set. */
const source = `
import { getVariable, log } from "cronium";
console.log("first");
while ((await getVariable("go")) === null) await new Promise((resolve) => setTimeout(resolve, 10));
log.warn("second\\nline", { n: 1 });
console.log("third");
`;

async function startRun(namespace: string): Promise<string> {
	const { body } = await server.call("POST", "/control/v1/runs", { script: { name: "logs.js", source }, namespace });
	return body.id;
}

const go = (namespace: string) => server.call("PUT", `/control/v1/namespaces/${namespace}/variables/go`, "true");

test("lines are followed live, each with its sequence, until the run has ended", async () => {
	const id = await startRun("live");
	const seen: Event[] = [];
	for await (const event of readEvents(`/control/v1/runs/${id}/logs`)) {
		seen.push(event);
		if (seen.length === 1) await go("live");
	}
	expect(seen.map(({ id, event }) => [id, event])).toEqual([
		["1", "log"],
		["2", "log"],
		["3", "log"],
		[undefined, "end"],
	]);
	expect(JSON.parse(seen[1]?.data ?? "")).toMatchObject({
		sequence: 2,
		level: "warn",
		message: "second\nline",
		fields: { n: 1 },
	});
	expect(JSON.parse(seen[3]?.data ?? "")).toEqual({ status: "succeeded" });
});

test("a stream that was cut goes on behind Last-Event-ID, without a gap and without a line twice", async () => {
	const id = await startRun("resumed");
	const cut = new AbortController();
	const first: Event[] = [];
	try {
		for await (const event of readEvents(`/control/v1/runs/${id}/logs`, {}, cut.signal)) {
			first.push(event);
			cut.abort();
		}
	} catch (error) {
		expect((error as Error).name).toBe("AbortError");
	}
	await go("resumed");
	const rest = await collect(readEvents(`/control/v1/runs/${id}/logs`, { "last-event-id": String(first.at(-1)?.id) }));
	expect([...first, ...rest].map((event) => event.id)).toEqual(["1", "2", "3", undefined]);
});

test("a run that has ended is told from the store, and as one answer without the stream", async () => {
	const id = await startRun("ended");
	await go("ended");
	await server.call("GET", `/control/v1/runs/${id}/outcome?waitMs=20000`);
	const events = await collect(readEvents(`/control/v1/runs/${id}/logs`));
	expect(events).toHaveLength(4);
	const { body } = await server.call("GET", `/control/v1/runs/${id}/logs?after=1`);
	expect(body.lines.map(({ message }: { message: string }) => message)).toEqual(["second\nline", "third"]);
});

test("a malformed Last-Event-ID is refused", async () => {
	const id = await startRun("malformed");
	await go("malformed");
	const answer = await server.call("GET", `/control/v1/runs/${id}/logs`, undefined, { "last-event-id": "x" });
	expect(answer).toMatchObject({ status: 400, body: { code: "invalid" } });
});

test("clients that go away leave no listeners behind", async () => {
	const id = await startRun("gone");
	for (let index = 0; index < 5; index++) {
		const gone = new AbortController();
		const events = readEvents(`/control/v1/runs/${id}/logs`, {}, gone.signal);
		await events.next();
		gone.abort();
		await events.next().catch(() => undefined);
	}
	await go("gone");
	await server.call("GET", `/control/v1/runs/${id}/outcome?waitMs=20000`);
	await wait(0);
	expect(await server.call("GET", "/control/v1/runs")).toMatchObject({ status: 200 });
});

test("what is malformed behind a request for a stream ends it, and is not answered in its middle", async () => {
	const id = await startRun("spliced");
	using connection = await openConnection(server);
	connection.write(
		`GET /control/v1/runs/${id}/logs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${credential}\r\nAccept: text/event-stream\r\n\r\n`,
	);
	await connection.received(/event: log/);
	connection.write("\0\0\0\r\n\r\n");
	expect((await connection.closed).match(/HTTP\/1\.1/g)).toHaveLength(1);
	await go("spliced");
});

test("following leaves nothing behind, line by line and stream by stream", async () => {
	const keepAliveMs = 15_000;
	const timers = new Set<unknown>();
	const setTimer = globalThis.setTimeout;
	const clearTimer = globalThis.clearTimeout;
	let most = 0;
	vi.spyOn(globalThis, "setTimeout").mockImplementation(((...given: Parameters<typeof setTimeout>) => {
		const timer = setTimer(...given);
		if (given[1] === keepAliveMs) timers.add(timer);
		most = Math.max(most, timers.size);
		return timer;
	}) as typeof setTimeout);
	vi.spyOn(globalThis, "clearTimeout").mockImplementation((timer) => {
		timers.delete(timer);
		clearTimer(timer);
	});
	const warnings: string[] = [];
	const onWarning = ({ message }: Error): void => void warnings.push(message);
	process.on("warning", onWarning);
	try {
		const { body } = await server.call("POST", "/control/v1/runs", {
			script: { name: "lines.js", source: 'await cronium.getVariable("go"); console.log("\\n".repeat(500));' },
		});
		const path = `/control/v1/runs/${body.id}/logs`;
		expect((await collect(readEvents(path))).length).toBeGreaterThan(500);
		using connection = await openConnection({ url: server.url });
		for (let stream = 1; stream <= 15; stream++) {
			connection.write(
				`GET ${path}?after=499 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${credential}\r\nAccept: text/event-stream\r\n\r\n`,
			);
			await connection.received(new RegExp(`(?:event: end[^]*){${stream}}`));
		}
		expect(most).toBe(1);
		expect(timers.size).toBe(0);
		expect(warnings).toEqual([]);
	} finally {
		process.off("warning", onWarning);
		vi.restoreAllMocks();
	}
});
