import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createTlsFiles } from "./certificates.ts";
import { EchoServer } from "./echo-process.ts";
import { encodeRequest, exchangeMany, KeptConnection, openConnections, type Place } from "./http-client.ts";
import { interleave } from "./interleave.ts";
import { atMostTarget, createRow, type Effort, type Measurement, type Row, shareTarget } from "./measurement.ts";
import { Program } from "./program.ts";
import type { DoorHolder } from "./sidecar-server.ts";

const inFlight = 32;
const share = 0.6;
const addedMs = 0.15;
const perSecond = 1_000;
const memoryRuns = 200;
const program = fileURLToPath(new URL("./sidecar-server.ts", import.meta.url));

/** What does a helper call cost at the local door of a run, mutual TLS on a Unix socket, against a server that does nothing but that? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	await using opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const echo = opened.use(await EchoServer.start(join(directory, "echo.sock"), await createTlsFiles(directory)));
	const sidecar = opened.use(Program.start([process.execPath, "--expose-gc", program, directory], { cwd: directory }));
	await sidecar.line();
	const open = async (count: number): Promise<readonly DoorHolder[]> => JSON.parse(await sidecar.ask(`runs ${count}`));
	const [own, steady] = (await open(2)) as [DoorHolder, DoorHolder];
	const requestOf = ({ token }: DoorHolder): Buffer => encodeRequest("GET", "/v1/variables/key", token);
	const { place } = own;
	const request = requestOf(own);
	const sides = [
		{ name: "bare Fastify echo", place: echo.place, server: echo },
		{ name: "getVariable", place, server: sidecar },
	];
	// All calls of the run are in its journal, which has a limit.
	const count = 2_000;
	const calls = quick ? 300 : 1_500;
	const candidates = await Promise.all(
		sides.map(async ({ name, place: at }) => {
			const many = opened.use(await openConnections(at, inFlight));
			const one = opened.use(await openConnections(at, 1))[0] as KeptConnection;
			// V8 compiles as it goes.
			await rate(many, request, count * 3);
			return [
				{ name, unit: "calls/s" as const, samplesPerRound: 1, sample: () => rate(many, request, count) },
				{ name: `${name}, one caller`, unit: "ms" as const, samplesPerRound: calls, sample: () => latency(one, request) },
			];
		}),
	);
	const rows = await interleave(candidates.flat(), quick ? 4 : 15, effort);
	const steadyRows: Row[] = [];
	const notes: string[] = [];
	for (const { name, place: at, server } of sides) {
		const target = server === sidecar ? steady.place : at;
		const { latencies, processorShare } = await keepRate(target, requestOf(steady), server, quick ? 5 : 30);
		const sorted = latencies.toSorted((a, b) => a - b);
		const at99 = sorted[Math.floor(sorted.length * 0.99)] as number;
		steadyRows.push(createRow(`${name}, ${perSecond} calls/s`, "ms", [latencies]));
		notes.push(
			`${name} at ${perSecond} calls/s: p99 ${at99.toFixed(2)} ms, ${(processorShare * 100).toFixed(0)} % of a processor`,
		);
	}
	const resident = Number(await sidecar.ask("memory"));
	notes.push(`resident memory of the host after that: ${(resident / 2 ** 20).toFixed(0)} MB`);
	const perRunMb = await memoryOfRun(sidecar, open, quick ? 50 : memoryRuns);
	const row = (name: string): Row => rows.find((one) => one.name === name) as Row;
	const [bare, door] = [row("bare Fastify echo, one caller"), row("getVariable, one caller")];
	const added = door.rounds.map((value, index) => value - (bare.rounds[index] as number));
	return {
		question: "a helper call at the local door of a run: mutual TLS on a Unix socket, kept connections",
		rows: [...rows, ...steadyRows, createRow("memory of a live run with a connection", "MB", [[perRunMb]])],
		targets: [
			shareTarget(`getVariable ≥ ${share * 100} % of a bare Fastify echo`, row("getVariable"), row("bare Fastify echo"), share),
			atMostTarget(`p50 added over the bare echo ≤ ${addedMs} ms`, door.p50 - bare.p50, addedMs, "ms", added),
			atMostTarget("memory of a live run ≤ 1 MB", perRunMb, 1, "MB"),
		],
		notes: [
			...notes,
			`${inFlight} connections of one run where nothing else is said; limits of rates are raised`,
			"getVariable: certificate and token checked, 100 bytes read from the store and journalled",
			"both servers and the load have a process each, and share the cores",
		],
	};
}

const rate = (connections: readonly KeptConnection[], request: Buffer, count: number): Promise<number> =>
	exchangeMany(connections, count, async (connection) => {
		const { status } = await connection.exchange(request);
		if (status !== 200) throw new Error(`A call was answered with ${status}.`);
	});

async function latency(connection: KeptConnection, request: Buffer): Promise<number> {
	const started = performance.now();
	const { status } = await connection.exchange(request);
	if (status !== 200) throw new Error(`A call was answered with ${status}.`);
	return performance.now() - started;
}

/** Makes so many calls a second, whether or not those before were answered. */
async function keepRate(place: Place, request: Buffer, server: { readonly processorTime: number }, seconds: number) {
	using connections = await openConnections(place, inFlight);
	const idle = [...connections];
	const latencies: number[] = [];
	const before = server.processorTime;
	const started = performance.now();
	const pending = new Set<Promise<unknown>>();
	for (let sent = 0; sent < seconds * perSecond; ) {
		const due = Math.min(seconds * perSecond, Math.floor(((performance.now() - started) * perSecond) / 1_000));
		for (; sent < due; sent++) {
			const at = started + (sent * 1_000) / perSecond;
			const connection = idle.pop();
			// A call that finds no connection has waited since it was due.
			if (!connection) break;
			const call = connection.exchange(request).then(({ status }) => {
				if (status !== 200) throw new Error(`A call was answered with ${status}.`);
				latencies.push(performance.now() - at);
				idle.push(connection);
			});
			pending.add(call);
			void call.finally(() => pending.delete(call));
		}
		await wait(1);
	}
	await Promise.all(pending);
	return { latencies, processorShare: (server.processorTime - before) / ((performance.now() - started) * 1_000) };
}

/** What a run with its door and one connection that was used takes of the host's memory. */
async function memoryOfRun(
	sidecar: Program,
	open: (count: number) => Promise<readonly DoorHolder[]>,
	count: number,
): Promise<number> {
	const use = async (holders: readonly DoorHolder[]): Promise<readonly KeptConnection[]> => {
		const connections: KeptConnection[] = [];
		for (const { place, token } of holders) {
			const connection = await KeptConnection.open(place);
			await connection.exchange(encodeRequest("GET", "/v1/variables/key", token));
			connections.push(connection);
		}
		return connections;
	};
	const warm = await use(await open(20));
	const before = Number(await sidecar.ask("memory"));
	const all = await use(await open(count));
	const after = Number(await sidecar.ask("memory"));
	for (const connection of [...warm, ...all]) connection.close();
	return (after - before) / count / 2 ** 20;
}
