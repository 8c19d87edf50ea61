import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";

const lanes = 8;

/** What a round found: how many acknowledgements were printed, and everything that contradicts one of them. */
export interface KillRound {
	readonly acknowledged: number;
	readonly faults: readonly string[];
}

/**
 * Lets a process write to the data directory, kills it (SIGKILL) `afterMs` milliseconds after its first acknowledgement, and looks whether
 * every transaction that it saw acknowledged is there, and each of them whole.
 */
export async function killRound(directory: string, afterMs: number): Promise<KillRound> {
	const child = spawn(process.execPath, [fileURLToPath(new URL("kill-child.ts", import.meta.url)), directory, String(lanes)], {
		stdio: ["ignore", "pipe", "pipe"],
	});
	let printed = "";
	let failure = "";
	child.stderr.on("data", (data: Buffer) => {
		failure += data;
	});
	child.stdout.on("data", (data: Buffer) => {
		if (printed === "") setTimeout(() => child.kill("SIGKILL"), afterMs);
		printed += data;
	});
	const signal = await new Promise((resolve) => child.once("close", (_, by) => resolve(by)));
	if (signal !== "SIGKILL") throw new Error(`the writing process ended by itself: ${failure}`);

	// The last line may be cut.
	const lines = printed.split("\n").slice(0, -1);
	const faults: string[] = [];
	const last = new Map<number, number>();
	const versions = new Set<string>();
	for (const line of lines) {
		const [lane, sequence, version] = line.split(" ");
		last.set(Number(lane), Number(sequence));
		if (versions.has(version as string)) faults.push(`version ${version} was given twice`);
		versions.add(version as string);
	}

	const store = await openLmdbStore({ directory, maxStoreBytes: 1024 ** 3 });
	try {
		let sum = 0;
		for (let lane = 0; lane < lanes; lane++) {
			const stored = Number((await store.get(["lane", lane]))?.value ?? 0);
			const text = (await store.get(["text", lane]))?.value;
			sum += stored;
			if (stored < (last.get(lane) ?? 0)) faults.push(`lane ${lane}: ${last.get(lane)} was acknowledged, ${stored} is stored`);
			if (stored > 0 && text !== `${stored}:${"x".repeat((stored * 37) % 9_000)}`) faults.push(`lane ${lane}: torn at ${stored}`);
		}
		const total = Number((await store.get(["total"]))?.value ?? 0);
		if (total !== sum) faults.push(`${total} transactions were counted, ${sum} are stored`);
		// What was unfinished must not be in the way of the next transaction.
		const next = await store.commit({ operations: [{ type: "increment", key: ["rounds"], by: 1 }] });
		if (!next.committed) faults.push("the next transaction was refused");
		else if (versions.has(next.version)) faults.push(`version ${next.version} was given again`);
	} finally {
		await store.close();
	}
	return { acknowledged: lines.length, faults };
}
