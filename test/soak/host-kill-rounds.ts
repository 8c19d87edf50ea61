import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createHost, type FinalStatus, limitDefinitions } from "../../host/index.ts";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";
import { audit, type Promised } from "./audit.ts";
import { describeDoomedRun } from "./doomed-run.ts";
import { createRandom } from "./random.ts";
import { counter } from "./random-run.ts";

export interface KillOptions {
	readonly seed: number;
	readonly dataDirectory: string;
	readonly rounds: number;
	readonly seconds?: number;
	readonly onProgress?: (line: string) => void;
}

export interface KillReport {
	readonly rounds: number;
	/** Writes that scripts or callers were told of. */
	readonly acknowledged: number;
	readonly ended: number;
	/** Runs that were found as lost afterwards. */
	readonly lost: number;
	readonly problems: readonly string[];
}

interface Line {
	readonly type: "ready" | "acknowledged" | "ended";
	readonly number: number;
	readonly value: number;
	readonly id: string;
	readonly status: FinalStatus;
}

/** What one run's host said of it before it died. */
interface Account {
	acknowledged: number;
	ended?: { readonly id: string; readonly status: FinalStatus };
}

const program = fileURLToPath(new URL("./doomed-host.ts", import.meta.url));
/** Far more runs than a round gets to, so that no number is used twice. */
const numbersPerRound = 1_000_000;

/** Kills a whole host in the middle of its work, again and again on one data directory, and audits what is there at the end. */
export async function runHostKillRounds({ seed, dataDirectory, rounds, seconds, onProgress }: KillOptions): Promise<KillReport> {
	const random = createRandom(seed, -1);
	const accounts = new Map<number, Account>();
	const problems: string[] = [];
	const deadline = performance.now() + (seconds ?? Number.POSITIVE_INFINITY) * 1_000;
	let made = 0;
	while (made < rounds && performance.now() < deadline) {
		const problem = await runRound(dataDirectory, seed, made * numbersPerRound, random.integer(0, 250), accounts);
		if (problem) problems.push(`round ${made}: ${problem}`);
		made += 1;
		if (made % 10 === 0) onProgress?.(`${made} rounds, ${accounts.size} runs`);
	}

	// A host that starts on the directory finds the runs that were lost.
	const host = await createHost({ dataDirectory });
	const records = await host.executions.list({ limit: Number.MAX_SAFE_INTEGER });
	await host.dispose();
	const numbers = new Map(records.map(({ id, script }) => [id, Number(/^doomed-(\d+)/.exec(script?.name ?? "")?.[1])]));
	const promised: Promised[] = [];
	const known = new Set<number>();
	for (const [id, number] of numbers) {
		if (known.has(number)) problems.push(`run ${number} is in the store twice`);
		known.add(number);
		const account = accounts.get(number);
		const { series, writes, namespace } = describeDoomedRun(seed, number);
		promised.push({ id, namespace, series, writes, acknowledged: account?.acknowledged ?? 0, status: account?.ended?.status });
		if (account?.ended && account.ended.id !== id)
			problems.push(`run ${number} is ${id} in the store and was reported as ${account.ended.id}`);
	}
	for (const [number, { acknowledged }] of accounts)
		if (!known.has(number)) problems.push(`run ${number} is not in the store; ${acknowledged} of its writes were acknowledged`);
	const store = await openLmdbStore({ directory: dataDirectory, maxStoreBytes: limitDefinitions.maxStoreBytes.default });
	try {
		problems.push(...(await audit(store, promised, { counter, others: false })).problems);
	} finally {
		await store.close();
	}
	let acknowledged = 0;
	let ended = 0;
	for (const account of accounts.values()) {
		acknowledged += account.acknowledged;
		if (account.ended) ended += 1;
	}
	return { rounds: made, acknowledged, ended, lost: records.filter(({ status }) => status === "lost").length, problems };
}

/** Starts a host, lets it work for `workMs`, kills it. Returns what went wrong. */
async function runRound(
	dataDirectory: string,
	seed: number,
	first: number,
	workMs: number,
	accounts: Map<number, Account>,
): Promise<string | undefined> {
	const child = spawn(process.execPath, [program, dataDirectory, String(seed), String(first)], {
		stdio: ["ignore", "pipe", "pipe"],
	});
	const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
	let errors = "";
	child.stderr.on("data", (chunk: Buffer) => {
		errors += chunk;
	});
	const working = Promise.withResolvers<void>();
	const lines = createInterface({ input: child.stdout });
	const read = once(lines, "close");
	lines.on("line", (text) => {
		// The last line may be cut off where the process was.
		if (!text.endsWith("}")) return;
		const line = JSON.parse(text) as Line;
		if (line.type === "ready") return;
		working.resolve();
		const account = accounts.get(line.number) ?? { acknowledged: 0 };
		accounts.set(line.number, account);
		if (line.type === "acknowledged") account.acknowledged = Math.max(account.acknowledged, line.value);
		else account.ended = { id: line.id, status: line.status };
	});
	await Promise.race([working.promise, exited]);
	await Promise.race([sleep(workMs), exited]);
	child.kill("SIGKILL");
	const [code, signal] = await exited;
	await read;
	return signal === "SIGKILL" ? undefined : `the host ended by itself with ${signal ?? code}: ${errors.slice(-1_000)}`;
}
