import { RuntimeError } from "./errors.ts";
import type { Limit } from "./generated/types.ts";

/** One row of the limits table. */
export interface LimitDefinition {
	readonly unit:
		| "bytes"
		| "characters"
		| "milliseconds"
		| "calls"
		| "levels"
		| "runs"
		| "workers"
		| "items"
		| "connections"
		| "containers"
		| "files"
		| "handshakes"
		| "requests"
		| "failures"
		| "processes"
		| "millicpus";
	readonly default: number;
	readonly minimum: number;
	readonly maximum: number;
	/** `run`: may differ from run to run. `host`: one value for the process. */
	readonly scope: "run" | "host";
	readonly description: string;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const minute = 60_000;
const day = 24 * 60 * minute;

const define = (
	scope: LimitDefinition["scope"],
	unit: LimitDefinition["unit"],
	value: number,
	minimum: number,
	maximum: number,
	description: string,
): LimitDefinition => ({ scope, unit, default: value, minimum, maximum, description });

/** Every limit there is. `cronium limits` prints this table, and an error caused by a limit names its row. */
export const limitDefinitions = {
	maxWallTimeMs: define("run", "milliseconds", 30_000, 1, day, "Time from a run's start to its deadline."),
	maxCpuTimeMs: define("run", "milliseconds", 10_000, 1, day, "Processor time of a run's own code."),
	maxMemoryBytes: define(
		"run",
		"bytes",
		64 * MiB,
		8 * MiB,
		1024 * MiB,
		"WebAssembly memory of a run, the engine's own included.",
	),
	maxStackBytes: define("run", "bytes", 256 * KiB, 64 * KiB, 512 * KiB, "Stack of a run's own code."),
	maxSourceBytes: define("run", "bytes", 4 * MiB, 1, 16 * MiB, "Source of a script, bundled imports included."),
	maxFilesBytes: define(
		"run",
		"bytes",
		8 * MiB,
		0,
		64 * MiB,
		"Files and arguments that a run of Python, in a container or on an SSH host is given.",
	),
	maxScratchBytes: define("run", "bytes", 16 * MiB, 0, 256 * MiB, "Files that a run of Python in the sandbox writes, in memory."),
	maxInputBytes: define("run", "bytes", 1 * MiB, 1, 16 * MiB, "Input of a run."),
	maxOutputBytes: define("run", "bytes", 1 * MiB, 1, 16 * MiB, "Output of a run."),
	maxLogBytes: define("run", "bytes", 1 * MiB, 0, 16 * MiB, "All log lines of a run, captured output included."),
	maxLogLineBytes: define("run", "bytes", 64 * KiB, 64, 1 * MiB, "One log line; a longer one is cut and says so."),
	maxHostCalls: define("run", "calls", 100_000, 0, 100_000_000, "Calls of a run to the host, fetches and timers included."),
	maxPendingCalls: define("run", "calls", 1_000, 1, 100_000, "Calls of a run that wait for their answer at one time."),
	maxPendingBytes: define(
		"run",
		"bytes",
		16 * MiB,
		64 * KiB,
		1024 * MiB,
		"Parameters, values and answers of the calls that wait.",
	),
	maxFetchResponseBytes: define("run", "bytes", 8 * MiB, 0, 64 * MiB, "Body of one response to fetch."),
	maxJournalBytes: define("run", "bytes", 16 * MiB, 64 * KiB, 24 * MiB, "Journal of a run, values it refers to not counted."),
	maxValueBytes: define("run", "bytes", 1 * MiB, 1, 16 * MiB, "One variable."),
	maxKeyCharacters: define("run", "characters", 255, 1, 255, "Name of a variable."),
	maxCallsPerSecond: define("run", "calls", 1_000, 1, 1_000_000, "Calls of a run through a door in one second."),
	maxRunConnections: define(
		"run",
		"connections",
		64,
		1,
		10_000,
		"Connections of a run to its door at one time; one more is refused.",
	),
	maxRunHandshakesPerSecond: define(
		"run",
		"handshakes",
		50,
		1,
		10_000,
		"TLS handshakes of a run at its local door in one second; more of them wait.",
	),
	maxJsonDepth: define("run", "levels", 128, 1, 128, "Nesting of a JSON text."),
	maxPageSize: define("run", "items", 1_000, 1, 10_000, "Keys in one page of a list."),
	maxContainerMemoryBytes: define(
		"run",
		"bytes",
		512 * MiB,
		16 * MiB,
		64 * 1024 * MiB,
		"Memory of a run in a container, its temporary files included.",
	),
	maxContainerMillicpus: define("run", "millicpus", 1_000, 50, 256_000, "Processors of a run in a container, in thousandths."),
	maxContainerProcesses: define("run", "processes", 128, 8, 32_768, "Processes and threads of a run in a container."),
	maxContainerOpenFiles: define("run", "files", 1_024, 64, 1_048_576, "Files that one process in a container has open."),
	maxContainerDiskBytes: define(
		"run",
		"bytes",
		64 * MiB,
		64 * KiB,
		16 * 1024 * MiB,
		"What each of the writable directories of a container, /work and /tmp, holds.",
	),
	maxContainerDiskFiles: define("run", "files", 10_000, 16, 10_000_000, "Files in each of them."),
	maxContainers: define("host", "containers", 8, 1, 1_000, "Runs in containers at one time; others wait."),
	maxIdleContainers: define("host", "containers", 2, 0, 100, "Containers of each image that are started ahead of their runs."),
	containerGraceMs: define(
		"host",
		"milliseconds",
		2_000,
		0,
		60_000,
		"Time that a container has to end after SIGTERM before it is killed.",
	),
	maxRemoteRuns: define("host", "runs", 128, 1, 10_000, "Runs on SSH hosts at one time; others wait."),
	hostSilenceMs: define(
		"host",
		"milliseconds",
		30_000,
		2_000,
		600_000,
		"Longest time that an SSH host shows no life before its runs are ended, here and there.",
	),
	maxWorkers: define("host", "workers", 8, 1, 128, "Scripts that run at one time in this process."),
	maxQueuedRuns: define("host", "runs", 1_000, 0, 1_000_000, "Runs that wait for a worker; one more is refused."),
	maxExternalRuns: define(
		"host",
		"runs",
		2_000,
		0,
		100_000,
		"Runs at one time whose scripts run elsewhere; one more is refused.",
	),
	maxNamespaceRuns: define(
		"host",
		"runs",
		128,
		1,
		128,
		"Scripts of one namespace that run at one time; never more than maxWorkers leaves to it.",
	),
	maxNamespaceQueuedRuns: define(
		"host",
		"runs",
		500,
		0,
		1_000_000,
		"Runs of one namespace that wait for a worker, beside those that run; one more is refused.",
	),
	maxNamespaceExternalRuns: define(
		"host",
		"runs",
		1_000,
		0,
		100_000,
		"Runs of one namespace at one time whose scripts run elsewhere; one more is refused.",
	),
	maxNamespaceCallsPerSecond: define(
		"host",
		"calls",
		5_000,
		1,
		1_000_000,
		"Calls of all runs of a namespace through doors in one second.",
	),
	maxNamespacePendingBytes: define(
		"host",
		"bytes",
		256 * MiB,
		64 * KiB,
		64 * 1024 * MiB,
		"Bodies and answers of the calls through doors that are under way, of all runs of a namespace.",
	),
	maxConnections: define(
		"host",
		"connections",
		4_000,
		1,
		1_000_000,
		"Connections that a server has at one time, never more than a third of the files that the process may open.",
	),
	maxAddressConnections: define(
		"host",
		"connections",
		512,
		1,
		1_000_000,
		"Connections to the runtime API from one address at one time; one more is closed.",
	),
	maxAddressHandshakesPerSecond: define(
		"host",
		"handshakes",
		200,
		1,
		10_000,
		"TLS handshakes at the runtime API from one address in one second; more of them wait, and addresses take turns.",
	),
	maxAddressRequestsPerSecond: define(
		"host",
		"requests",
		5_000,
		1,
		1_000_000,
		"Requests to the runtime API from one address in one second.",
	),
	maxAddressFailuresPerMinute: define(
		"host",
		"failures",
		60,
		1,
		1_000_000,
		"Requests from one address in one minute whose token is refused; then only tokens that are known are taken from there.",
	),
	maxAddressPendingBytes: define(
		"host",
		"bytes",
		128 * MiB,
		64 * KiB,
		64 * 1024 * MiB,
		"Bodies and answers of the calls from one address that are under way at the runtime API.",
	),
	maxHandshakesPerSecond: define(
		"host",
		"handshakes",
		100,
		1,
		10_000,
		"TLS handshakes at the local doors of all runs in one second; more of them wait, and runs take turns.",
	),
	maxControlBodyBytes: define("host", "bytes", 32 * MiB, 64 * KiB, 256 * MiB, "Body of one request to the control API."),
	tokenLifetimeMs: define(
		"host",
		"milliseconds",
		10 * minute,
		1_000,
		day,
		"How long an execution token is good; its holder can renew it.",
	),
	cancelGraceMs: define("host", "milliseconds", 250, 10, 10_000, "Time a worker has to stop by itself before it is terminated."),
	logFlushMs: define("host", "milliseconds", 100, 10, 10_000, "Longest time a log line waits before it is written to the store."),
	runRetentionMs: define("host", "milliseconds", 30 * day, 0, 3_650 * day, "How long finished runs and their journals are kept."),
	maxNamespaceBytes: define(
		"host",
		"bytes",
		4 * 1024 * MiB,
		1 * MiB,
		1024 * 1024 * MiB,
		"What a namespace may have in the store: its variables, former values and runs.",
	),
	maxStoreBytes: define("host", "bytes", 64 * 1024 * MiB, 16 * MiB, 1024 * 1024 * MiB, "Size of the store."),
} as const satisfies Record<string, LimitDefinition>;

export type LimitName = keyof typeof limitDefinitions;

/** The limits in force, complete. */
export type Limits = Readonly<Record<LimitName, number>>;

export const defaultLimits = Object.fromEntries(
	Object.entries(limitDefinitions).map(([name, definition]) => [name, definition.default]),
) as Limits;

/** The limits that are not the defaults: `resolveLimits` completes them again. */
export function changedLimits(limits: Limits): Partial<Limits> {
	const changed: Partial<Record<LimitName, number>> = {};
	for (const name of Object.keys(limits) as LimitName[]) if (limits[name] !== defaultLimits[name]) changed[name] = limits[name];
	return changed;
}

/** Completes `overrides` with the defaults, or with `base`. Throws `invalid` for an unknown name or a value out of range. */
export function resolveLimits(overrides: Partial<Record<LimitName, number>> = {}, base: Limits = defaultLimits): Limits {
	const resolved = { ...base };
	for (const [name, value] of Object.entries(overrides)) {
		if (value === undefined) continue;
		const definition = Object.hasOwn(limitDefinitions, name) ? limitDefinitions[name as LimitName] : undefined;
		if (!definition) throw new RuntimeError("invalid", `There is no limit named ${JSON.stringify(name)}.`);
		if (!Number.isSafeInteger(value) || value < definition.minimum || value > definition.maximum)
			throw new RuntimeError(
				"invalid",
				`${name} is ${value}; it must be a whole number from ${definition.minimum} to ${definition.maximum} ${definition.unit}.`,
			);
		resolved[name as LimitName] = value;
	}
	return resolved;
}

/** The WIT record `limit` for an error that `name` caused. */
export function describeLimit(limits: Limits, name: LimitName): Limit {
	return { name, value: limits[name], unit: limitDefinitions[name].unit };
}
