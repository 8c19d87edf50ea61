import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import openapi from "../../../guest-sdks/openapi.json" with { type: "json" };
import { type RunningServer, serve } from "../../../host/serve.ts";
import { type Answer, AnswerCheck } from "./answer-check.ts";
import { CampaignRuns } from "./campaign-runs.ts";
import { type DescribedOperation, type Document, describedOperations, resolveSchema } from "./described-operations.ts";
import { HttpClient } from "./http-client.ts";
import { knownValues } from "./known-values.ts";
import { type RandomRequest, type Reference, randomRequest } from "./random-request.ts";

export interface CampaignOptions {
	readonly seed: number;
	readonly requests: number;
	/** Where the servers have their data: an empty directory. */
	readonly directory: string;
	readonly onProgress?: (line: string) => void;
}

export interface CampaignReport {
	readonly requests: number;
	/** How many answers had which status, by operation. */
	readonly statuses: Readonly<Record<string, Readonly<Record<number, number>>>>;
	readonly journalEntries: number;
	readonly problems: readonly string[];
}

/** After so many requests the runs are ended, their journals looked at, and new ones begun. */
const requestsOfRound = 500;
const atOneTime = 8;
/** More would say the same. */
const maxProblems = 50;

/** A server that is asked things, and the document that says what it answers. */
interface Target {
	readonly name: "runtime" | "control";
	readonly client: HttpClient;
	readonly check: AnswerCheck;
	readonly operations: readonly DescribedOperation[];
	readonly requests: fc.Arbitrary<RandomRequest>;
}

/** Sends random requests to both servers of one process, and compares every answer with their OpenAPI documents. */
export async function runCampaign({ seed, requests, directory, onProgress }: CampaignOptions): Promise<CampaignReport> {
	const problems: string[] = [];
	const statuses: Record<string, Record<number, number>> = {};
	const warn = (warning: Error): void => {
		if (warning.name === "CroniumWarning") problems.push(`warning: ${warning.message}`);
	};
	process.on("warning", warn);
	let journalEntries = 0;
	let sent = 0;
	const server = await openServer(directory);
	try {
		const operator = readFileSync(server.operatorTokenFile, "utf8").trim();
		const planted = "planted-in-another-namespace";
		const runs = new CampaignRuns(server, operator, planted);
		await runs.plant();
		const targets = await describeTargets(server, { texts: [directory, process.cwd(), operator, planted] });
		for (let round = 0; sent < requests && problems.length < maxProblems; round++) {
			await runs.begin();
			const count = Math.min(requestsOfRound, requests - sent);
			const plan = fc.sample(fc.oneof(...targets.map((target) => target.requests.map((request) => ({ target, request })))), {
				seed: seed + round,
				numRuns: count,
			});
			await inParallel(plan, atOneTime, async ({ target, request }, index) => {
				const problem = await ask(target, request, runs, statuses);
				for (const one of problem) problems.push(`round ${round}, request ${index}: ${one}\n${describe(target, request)}`);
			});
			sent += count;
			const ended = await runs.end();
			journalEntries += ended.entries;
			problems.push(...ended.problems.map((problem) => `round ${round}: ${problem}`));
			onProgress?.(`${sent} requests`);
		}
		for (const { name, client } of targets) {
			const { status } = await client.send("GET", "/healthz", {}, undefined);
			if (status !== 200) problems.push(`the ${name} server is not well: ${status}`);
			client.close();
		}
		runs.close();
	} finally {
		await server.close();
		process.off("warning", warn);
	}
	return { requests: sent, statuses, journalEntries, problems };
}

/** Both servers on free ports, with limits that no campaign meets by its speed alone. */
export function openServer(directory: string): Promise<RunningServer> {
	return serve({
		dataDirectory: join(directory, "data"),
		listen: { host: "127.0.0.1", port: 0 },
		controlListen: { host: "127.0.0.1", port: 0 },
		sidecarListen: { host: "127.0.0.1", port: 0 },
		drainMs: 0,
		limits: {
			maxWorkers: 1,
			// Runs that requests start end soon by themselves.
			maxWallTimeMs: 2_000,
			maxCallsPerSecond: 1_000_000,
			maxNamespaceCallsPerSecond: 1_000_000,
			maxExternalRuns: 10_000,
			maxQueuedRuns: 10_000,
			runRetentionMs: 86_400_000,
		},
	});
}

async function describeTargets(
	server: RunningServer,
	secrets: { readonly texts: readonly string[] },
): Promise<readonly Target[]> {
	const control = new HttpClient(server.controlUrl);
	const { text } = await control.send("GET", "/control/openapi.json", {}, undefined);
	return [
		describeTarget("runtime", new HttpClient(server.url), openapi, secrets),
		describeTarget("control", control, JSON.parse(text) as Document, secrets),
	];
}

function describeTarget(
	name: Target["name"],
	client: HttpClient,
	document: Document,
	{ texts }: { readonly texts: readonly string[] },
): Target {
	const operations = describedOperations(document);
	const sources = { resolve: (schema: object) => resolveSchema(document, schema), known: knownValues };
	return {
		name,
		client,
		// The operator may see what is planted.
		check: new AnswerCheck(document, { texts: name === "control" ? texts.slice(0, -1) : texts }),
		operations,
		requests: fc.oneof(...operations.map((operation) => randomRequest(operation, sources))),
	};
}

async function ask(
	{ name, client, check }: Target,
	request: RandomRequest,
	runs: CampaignRuns,
	statuses: Record<string, Record<number, number>>,
): Promise<readonly string[]> {
	const credential = runs.credential(name, request.credential);
	const text = (piece: string | Reference): string => (typeof piece === "string" ? piece : runs.resolve(piece));
	const headers: Record<string, string> = {};
	for (const [header, value] of request.headers) headers[header.toLowerCase()] = text(value);
	if (credential.authorization !== undefined) headers.authorization = credential.authorization;
	let answer: Answer;
	try {
		answer = await client.send(request.method, request.path.map(text).join(""), headers, request.body);
	} catch (error) {
		return [`no answer: ${error}`];
	}
	const operation = `${request.operation.method} ${request.operation.path}`;
	const counts = statuses[operation] ?? {};
	statuses[operation] = counts;
	counts[answer.status] = (counts[answer.status] ?? 0) + 1;
	runs.learn(name, request, answer, credential.run);
	return check.problemsOf(request, answer).map((problem) => `${problem}\n  ${answer.status} ${answer.text.slice(0, 300)}`);
}

function describe({ name }: Target, { method, path, headers, credential, body }: RandomRequest): string {
	const parts = path.map((piece) => (typeof piece === "string" ? piece : `<${piece.reference}>`)).join("");
	return `  ${name}: ${method} ${parts.slice(0, 300)} as ${credential} ${JSON.stringify(headers).slice(0, 300)} ${JSON.stringify(body)?.slice(0, 300)}`;
}

async function inParallel<T>(items: readonly T[], count: number, act: (item: T, index: number) => Promise<void>): Promise<void> {
	let next = 0;
	await Promise.all(
		Array.from({ length: count }, async () => {
			for (let index = next++; index < items.length; index = next++) await act(items[index] as T, index);
		}),
	);
}
