import { RuntimeError } from "../contract/errors.ts";
import type { Outcome } from "../execution.ts";
import { hostsFile, SshHosts } from "../executors/ssh/hosts-file.ts";
import type { SshHost } from "../executors/ssh/ssh-host.ts";
import { type CommandLine, exitCodes, UsageError } from "./command.ts";
import { RawJson, stringify } from "./json-print.ts";
import { readCount } from "./quantity.ts";
import { severalHostsOptions } from "./run-line.ts";

const defaultParallel = 10;

/** Several hosts, and how they are gone through. */
export interface SeveralHosts {
	readonly names: readonly string[];
	readonly maxParallel: number;
	readonly stopsOnFailure: boolean;
}

/** The run of one of them. */
export interface HostRun {
	readonly host: string;
	/** Undefined: it was not begun. An error: it could not be. */
	readonly outcome: Outcome | Error | undefined;
}

/** What `--in ssh:…` names, when that is not one host by its name: patterns (`web-*`), tags (`tag=eu`), and lists of all of these. */
export function readHosts(line: CommandLine, text: string, dataDirectory: string): SeveralHosts | undefined {
	const patterns = text.split(",").map((pattern) => pattern.trim());
	if (patterns.length === 1 && !isPattern(text)) {
		for (const { name } of severalHostsOptions)
			if (line.flag(name))
				throw new UsageError(`--${name} is for several SSH hosts, and ${JSON.stringify(`ssh:${text}`)} is one.`);
		return undefined;
	}
	const hosts = new SshHosts(hostsFile(dataDirectory));
	const found = patterns.flatMap((pattern): readonly SshHost[] => {
		if (!isPattern(pattern)) return [hosts.find(pattern)];
		const matching = hosts.match(pattern);
		if (matching.length > 0) return matching;
		const names = hosts.list().map(({ name }) => name);
		throw new UsageError(
			`--in names no host: ${JSON.stringify(pattern)} fits ${names.length > 0 ? `none of ${names.join(", ")}` : "none, because there are none (cronium hosts add)"}.`,
		);
	});
	return {
		names: [...new Set(found.map(({ name }) => name))],
		maxParallel: readParallel(line.value("max-parallel")),
		stopsOnFailure: line.flag("stop-on-failure"),
	};
}

const isPattern = (text: string): boolean => /[*?]/.test(text) || text.startsWith("tag=");

function readParallel(text: string | undefined): number {
	if (text === undefined) return defaultParallel;
	const count = readCount("--max-parallel", text);
	if (count === 0) throw new UsageError("--max-parallel is 0; it must be at least 1.");
	return count;
}

/** Runs on each of them. Resolves in their order, when all that were begun have ended; `onEnd` is called for each as it does. */
export async function runOnHosts(
	{ names, maxParallel, stopsOnFailure }: SeveralHosts,
	signal: AbortSignal,
	run: (host: string) => Promise<Outcome>,
	onEnd: (run: HostRun) => void,
): Promise<readonly HostRun[]> {
	const runs = new Map<string, HostRun>(names.map((host) => [host, { host, outcome: undefined }]));
	let next = 0;
	let hasFailed = false;
	const work = async (): Promise<void> => {
		while (next < names.length && !signal.aborted && !(stopsOnFailure && hasFailed)) {
			const host = names[next++] as string;
			const outcome = await run(host).catch((cause: Error) => cause);
			hasFailed ||= outcome instanceof Error || outcome.status !== "succeeded";
			runs.set(host, { host, outcome });
			onEnd({ host, outcome });
		}
	};
	await Promise.all(Array.from({ length: Math.min(maxParallel, names.length) }, work));
	return [...runs.values()];
}

/** One line of JSON for the run of a host. */
export function describeHostRun({ host, outcome }: HostRun): string {
	if (outcome === undefined) return stringify({ host, status: "not-started" });
	if (outcome instanceof Error) {
		const code = outcome instanceof RuntimeError ? outcome.code : "internal";
		return stringify({ host, status: "failed", error: { code, message: outcome.message } });
	}
	const { executionId, status, exitCode, outputText, condition, error } = outcome;
	return stringify({
		...{ host, status, exitCode, executionId },
		...(outputText !== undefined && { output: new RawJson(outputText) }),
		...(condition !== null && { condition }),
		...(error && { error }),
	});
}

/** `3 hosts: 1 succeeded, 1 failed (web-2), 1 not started (web-3)`. */
export function summarize(runs: readonly HostRun[]): string {
	const byStatus = new Map<string, string[]>();
	for (const { host, outcome } of runs) {
		const status = outcome === undefined ? "not started" : outcome instanceof Error ? "failed" : outcome.status;
		byStatus.set(status, [...(byStatus.get(status) ?? []), host]);
	}
	const parts = [...byStatus].map(([status, hosts]) =>
		status === "succeeded" ? `${hosts.length} succeeded` : `${hosts.length} ${status} (${hosts.join(", ")})`,
	);
	return `${runs.length} hosts: ${parts.join(", ")}`;
}

/** 0 when all have succeeded. */
export function exitCodeOf(runs: readonly HostRun[], signal: AbortSignal): number {
	if (signal.aborted) return exitCodes.cancelled;
	const isWhole = runs.every(
		({ outcome }) => outcome !== undefined && !(outcome instanceof Error) && outcome.status === "succeeded",
	);
	return isWhole ? exitCodes.succeeded : exitCodes.failed;
}
