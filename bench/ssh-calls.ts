import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTlsFiles } from "./certificates.ts";
import { EchoServer } from "./echo-process.ts";
import { encodeRequest, exchangeMany, openConnections } from "./http-client.ts";
import { interleave } from "./interleave.ts";
import type { Effort, Measurement, Row } from "./measurement.ts";
import { shareTarget } from "./measurement.ts";
import { RuntimeServer, textOf } from "./runtime-server.ts";

const inFlight = 32;
const share = 0.6;

/** What does a helper call cost at the public door, HTTPS with a token, against a server that does nothing but HTTPS? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	await using opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const files = await createTlsFiles(directory, false);
	const runtime = opened.use(await RuntimeServer.start(directory, "tcp", files));
	const holders = await runtime.startRuns(inFlight);
	const echo = opened.use(await EchoServer.start("127.0.0.1:0", files));
	const requests = holders.map(({ token }) => encodeRequest("GET", "/v1/variables/key", token));
	const count = quick ? 2_000 : 10_000;
	const sides = await Promise.all(
		[
			{ name: "bare Fastify echo, HTTPS", place: echo.place, expected: undefined },
			{ name: "getVariable at the bridge, HTTPS", place: runtime.place, expected: textOf },
		].map(async ({ name, place, expected }) => {
			const connections = opened.use(await openConnections(place, inFlight));
			const putOn = (calls: number): Promise<number> =>
				exchangeMany(connections, calls, async (connection, number) => {
					const index = number % requests.length;
					const { status, body } = await connection.exchange(requests[index] as Buffer);
					if (status !== 200 || (expected && body !== expected(index)))
						throw new Error(`${name} was answered with ${status}: ${body}`);
				});
			// V8 compiles as it goes.
			await putOn(count * 5);
			return { name, unit: "calls/s" as const, samplesPerRound: 1, sample: () => putOn(count) };
		}),
	);
	const [bare, bridge] = (await interleave(sides, quick ? 4 : 15, effort)) as [Row, Row];
	return {
		question: `calls a second at the bridge: HTTPS (TLS 1.3), ${inFlight} kept connections with a run each`,
		rows: [bare, bridge],
		targets: [shareTarget(`getVariable ≥ ${share * 100} % of a bare Fastify echo`, bridge, bare, share)],
		notes: [
			"getVariable: the token checked, 100 bytes read from the store and journalled",
			"servers and the load have a process each, and share the cores; limits of rates are raised",
		],
	};
}
