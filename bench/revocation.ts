import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Answer, encodeRequest, KeptConnection, openConnections } from "./http-client.ts";
import { atMostTarget, createRow, type Effort, type Measurement, type Row } from "./measurement.ts";
import { RuntimeServer, type TokenHolder, textOf } from "./runtime-server.ts";

const runs = 1_000;
const inFlight = 16;
const longestMs = 1_000;

/** How soon is a token worthless once it is revoked, on a server that is busy with a thousand runs? */
export async function measure(effort: Effort): Promise<Measurement> {
	const [rounds, perRound] = effort.quick ? [5, 12] : [20, 30];
	await using opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const server = opened.use(await RuntimeServer.start(directory, "tcp"));
	const holders = await server.startRuns(runs + rounds * perRound);
	const victims = holders.slice(runs);
	await using load = await putOnLoad(server, holders.slice(0, runs));
	const watching = opened.adopt(await KeptConnection.open(server.place), (connection) => connection.close());
	const refused: number[][] = [];
	const acknowledged: number[][] = [];
	const answered: number[][] = [];
	for (let round = 0; round < rounds; round++) {
		const revocations: Revocation[] = [];
		const before = { calls: load.calls, at: performance.now() };
		for (let one = 0; one < perRound; one++) {
			revocations.push(await revoke(server, victims[round * perRound + one] as TokenHolder, watching));
			load.requireGood();
		}
		answered.push([((load.calls - before.calls) * 1_000) / (performance.now() - before.at)]);
		refused.push(revocations.map(({ refusedMs }) => refusedMs));
		acknowledged.push(revocations.map(({ acknowledgedMs }) => acknowledgedMs));
	}
	const rows: readonly Row[] = [
		createRow("revocation sent → first call refused", "ms", refused),
		createRow("revocation sent → acknowledged, in the audit log", "ms", acknowledged),
		createRow(`calls of the other ${runs} runs meanwhile`, "calls/s", answered),
	];
	const [first] = rows as [Row];
	return {
		question: `a token that its holder goes on calling with is revoked by the control API, while ${runs} other runs make calls`,
		rows,
		targets: [
			atMostTarget(
				`the longest of ${first.samples} revocations ≤ 1 s, with ${runs} concurrent runs`,
				first.max,
				longestMs,
				"ms",
				refused.map((round) => Math.max(...round)),
			),
		],
		notes: [
			`every call of the others was answered with the value of its own run, and no call that was sent behind an acknowledgement was`,
		],
	};
}

interface Revocation {
	readonly refusedMs: number;
	readonly acknowledgedMs: number;
}

/** Revokes the tokens of a run whose holder calls without a pause. Rejects when a call is answered that was sent after the acknowledgement. */
async function revoke(server: RuntimeServer, { id, token }: TokenHolder, connection: KeptConnection): Promise<Revocation> {
	const request = encodeRequest("GET", "/v1/variables/key", token);
	requireStatus(await connection.exchange(request), 200, "before the revocation");
	const sent = performance.now();
	let acknowledgedMs = Number.NaN;
	const revoked = server.control("DELETE", `/runs/${id}/tokens`).then(() => {
		acknowledgedMs = performance.now() - sent;
	});
	for (;;) {
		const isAcknowledged = Number.isFinite(acknowledgedMs);
		const answer = await connection.exchange(request);
		if (answer.status === 401) break;
		requireStatus(answer, 200, "before it was refused");
		if (isAcknowledged) throw new Error("A call with a revoked token was answered.");
	}
	const refusedMs = performance.now() - sent;
	await revoked;
	return { refusedMs, acknowledgedMs };
}

interface RunningLoad extends AsyncDisposable {
	readonly calls: number;
	/** Throws what was wrong with an answer. */
	requireGood(): void;
}

/** Calls with the tokens of all the runs in turn until it is disposed. */
async function putOnLoad(server: RuntimeServer, holders: readonly TokenHolder[]): Promise<RunningLoad> {
	const requests = holders.map(({ token }) => encodeRequest("GET", "/v1/variables/key", token));
	const connections = await openConnections(server.place, inFlight);
	let calls = 0;
	let isOver = false;
	let problem: unknown;
	const lanes = connections.map(async (connection, lane) => {
		for (let number = lane; !isOver; number = (number + inFlight) % requests.length) {
			const answer = await connection.exchange(requests[number] as Buffer);
			requireStatus(answer, 200, "of another run");
			if (answer.body !== textOf(number)) throw new Error(`Run ${number} got the value of another: ${answer.body}`);
			calls++;
		}
	});
	const ended = Promise.all(lanes).catch((error: unknown) => {
		problem = error;
	});
	return {
		get calls() {
			return calls;
		},
		requireGood() {
			if (problem) throw problem;
		},
		async [Symbol.asyncDispose]() {
			isOver = true;
			await ended;
			connections[Symbol.dispose]();
		},
	};
}

function requireStatus({ status, body }: Answer, wanted: number, when: string): void {
	if (status !== wanted) throw new Error(`A call ${when} was answered with ${status}: ${body}`);
}
