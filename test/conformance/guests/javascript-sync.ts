// A guest with the synchronous client of the JavaScript SDK, as a CommonJS module. One message a line: an environment, or a call.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { StepResult } from "../conformance-case.ts";
import { type GuestCall, toLine } from "../guest-step.ts";
import { enter } from "./environment.ts";
import { describeError, joinResults, toArgument, write } from "./perform.ts";

type Client = { close(): void } & Readonly<Record<string, (...given: readonly unknown[]) => unknown>>;
const file = isMainThread ? (process.argv[2] as string) : (workerData.file as string);
const { createSyncClient } = createRequire(import.meta.url)(file) as { createSyncClient: () => Client };

function performNow(client: Client, call: GuestCall): StepResult {
	try {
		return { text: write(client[call.name]?.(...call.arguments.map(toArgument))) };
	} catch (error) {
		return describeError(error);
	}
}

/** A thread for each lane: a synchronous caller does one thing at a time. */
async function performInThreads({ lanes = 1, ...call }: GuestCall): Promise<StepResult> {
	const ofLanes = await Promise.all(
		Array.from({ length: lanes }, () => {
			const lane = new Worker(new URL(import.meta.url), { workerData: { file, call } });
			return new Promise<StepResult[]>((resolve, reject) => lane.once("message", resolve).once("error", reject));
		}),
	);
	return joinResults(ofLanes.flat());
}

if (isMainThread) {
	let client: Client | undefined;
	for await (const line of createInterface({ input: process.stdin })) {
		const message = JSON.parse(line) as { readonly environment: Record<string, string> } | GuestCall;
		if ("environment" in message) {
			client?.close();
			enter(message.environment);
			client = createSyncClient();
			process.stdout.write("{}\n");
		} else {
			const done = message.lanes === undefined ? performNow(client as Client, message) : await performInThreads(message);
			process.stdout.write(toLine(done));
		}
	}
	client?.close();
} else {
	const call = workerData.call as GuestCall;
	const client = createSyncClient();
	const results: StepResult[] = [];
	for (let time = 0; time < (call.times ?? 1); time++) results.push(performNow(client, call));
	client.close();
	parentPort?.postMessage(results);
}
