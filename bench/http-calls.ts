import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTlsFiles, type TlsFiles } from "./certificates.ts";
import { EchoServer } from "./echo-process.ts";
import { encodeRequest, exchangeMany, type KeptConnection, openConnections } from "./http-client.ts";
import { interleave } from "./interleave.ts";
import { createRow, type Effort, type Measurement, type Row, shareTarget } from "./measurement.ts";
import { RuntimeServer, type TokenHolder, textOf } from "./runtime-server.ts";

const inFlight = 32;
const share = 0.6;

/** How many helper calls a second does a server answer over HTTP, against a server that does nothing but HTTP? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	await using opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const manyRuns = quick ? 200 : 1_000;
	const tls = quick ? undefined : await createTlsFiles(directory);
	const loads: Load[] = [];
	for (const transport of transports(tls)) {
		const place = join(directory, transport.name.replaceAll(" ", "-"));
		await mkdir(place);
		const own = await openLoads(transport, place, effort, manyRuns, opened);
		// V8 compiles as it goes: tens of thousands of calls make a server fast.
		for (const load of own) await putOn({ ...load, count: load.count * 5 });
		loads.push(...own);
	}
	const processorTimes = new Map<string, number[][]>(loads.map(({ name }) => [name, []]));
	const rates = await interleave(
		loads.map((load) => ({
			name: load.name,
			unit: "calls/s",
			samplesPerRound: 1,
			sample: async () => {
				const before = load.server.processorTime;
				const perSecond = await putOn(load);
				processorTimes.get(load.name)?.push([(load.server.processorTime - before) / load.count]);
				return perSecond;
			},
		})),
		quick ? 4 : 15,
		effort,
	);
	// The first batch warmed up.
	const costs = loads.map(({ name }) => createRow(`  ${name}`, "µs", processorTimes.get(name)?.slice(1) ?? []));
	const rows = [...rates, ...costs];
	const row = (name: string): Row => rows.find((one) => one.name === name) as Row;
	return {
		question: `calls a second of the runtime API over HTTP, ${inFlight} kept connections with a run each`,
		rows,
		targets: [
			shareTarget(
				`getVariable over TCP ≥ ${share * 100} % of a bare Fastify echo`,
				row("getVariable, TCP"),
				row("echo GET, TCP"),
				share,
			),
			shareTarget(`over a Unix socket ≥ ${share * 100} %`, row("getVariable, Unix socket"), row("echo GET, Unix socket"), share),
			shareTarget(
				`with the tokens of ${manyRuns} concurrent runs ≥ ${share * 100} %`,
				row(`getVariable, TCP, ${manyRuns} runs in turn`),
				row("echo GET, TCP"),
				share,
			),
		],
		notes: [
			"getVariable: the token checked, 100 bytes read from the store and journalled; setVariable: 100 bytes with an idempotency key, on the disk when answered",
			"in µs: the processor time of the server for one call, all its threads, which depends less on what else runs on the machine",
			"both sides get the same bytes; servers and the load have a process each, and share the cores",
			`limits of rates are raised; the store is in ${tmpdir()}`,
		],
	};
}

interface Transport {
	readonly name: string;
	readonly isUnix: boolean;
	readonly files?: TlsFiles;
}

function transports(files: TlsFiles | undefined): readonly Transport[] {
	return [
		{ name: "TCP", isUnix: false },
		{ name: "Unix socket", isUnix: true },
		...(files ? [{ name: "mutual TLS over a Unix socket", isUnix: true, files }] : []),
	];
}

/** What is compared, sending batches of requests to one of the servers. */
interface Load {
	readonly name: string;
	readonly server: { readonly processorTime: number };
	readonly connections: readonly KeptConnection[];
	/** How many requests are sent. */
	readonly count: number;
	/** How many different ones there are, and what they are. */
	readonly different: number;
	readonly requestAt: (index: number) => Buffer;
	readonly check: (body: string, index: number) => boolean;
}

/** Starts both servers in the directory, and says what is put on them. */
async function openLoads(
	{ name, isUnix, files }: Transport,
	directory: string,
	{ quick }: Effort,
	manyRuns: number,
	opened: AsyncDisposableStack,
): Promise<readonly Load[]> {
	const runtime = opened.use(await RuntimeServer.start(directory, isUnix ? "unix" : "tcp", files));
	const holders = await runtime.startRuns(name === "TCP" ? manyRuns : inFlight);
	const echo = opened.use(await EchoServer.start(isUnix ? join(directory, "echo.sock") : "127.0.0.1:0", files));
	const toRuntime = { server: runtime, connections: opened.use(await openConnections(runtime.place, inFlight)) };
	const toEcho = { server: echo, connections: opened.use(await openConnections(echo.place, inFlight)) };
	const own = holders.slice(0, inFlight);
	const reads = quick ? 2_000 : 10_000;
	const writes = quick ? 300 : 2_000;
	const inTurn = `getVariable, ${name}, ${manyRuns} runs in turn`;
	const always = [
		{ name: `echo GET, ${name}`, ...toEcho, count: reads, ...readsOf(own), check: requireSuccess },
		{ name: `getVariable, ${name}`, ...toRuntime, count: reads, ...readsOf(own), check: requireOwnValue },
	];
	if (name !== "TCP") return always;
	return [
		...always,
		{ name: inTurn, ...toRuntime, count: reads, ...readsOf(holders), check: requireOwnValue },
		{ name: `echo PUT, ${name}`, ...toEcho, count: writes, ...writesOf(own), check: requireSuccess },
		{ name: `setVariable, durable, ${name}`, ...toRuntime, count: writes, ...writesOf(own), check: requireSuccess },
	];
}

/** Sends a batch, and resolves with how many were answered in a second. */
function putOn({ name, connections, count, different, requestAt, check }: Load): Promise<number> {
	return exchangeMany(connections, count, async (connection, number) => {
		const index = number % different;
		const { status, body } = await connection.exchange(requestAt(index));
		if (status !== 200 || !check(body, index)) throw new Error(`${name} was answered with ${status}: ${body.slice(0, 200)}`);
	});
}

const requireSuccess: Load["check"] = () => true;
/** What another run has is not what this one may get. */
const requireOwnValue: Load["check"] = (body, index) => body === textOf(index);

function readsOf(holders: readonly TokenHolder[]): Pick<Load, "different" | "requestAt"> {
	const requests = holders.map(({ token }) => encodeRequest("GET", "/v1/variables/key", token));
	return { different: requests.length, requestAt: (index) => requests[index] as Buffer };
}

/** A new idempotency key each, as the SDKs send it. */
function writesOf(holders: readonly TokenHolder[]): Pick<Load, "different" | "requestAt"> {
	const requestAt = (index: number): Buffer => {
		const { token } = holders[index] as TokenHolder;
		return encodeRequest("PUT", "/v1/variables/key", token, textOf(index), `Idempotency-Key: ${randomUUID()}\r\n`);
	};
	return { different: holders.length, requestAt };
}
