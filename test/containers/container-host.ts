import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { type ContainerEngine, connectEngine } from "../../host/executors/container/engine-client.ts";
import { containerLabels } from "../../host/executors/container/sweep.ts";
import {
	type ContainerSettings,
	createHost,
	type Host,
	type HostOptions,
	type Outcome,
	type RunOptions,
} from "../../host/index.ts";
import { printed } from "../printed.ts";
import { type EngineKind, findTestEngine, keepKnownIsolation, takeKnownIsolation } from "./engines.ts";

/** A real host with a real engine, in a data directory of its own. */
export interface ContainerHost extends AsyncDisposable {
	readonly host: Host;
	readonly engine: ContainerEngine;
	readonly dataDirectory: string;
	/** Runs a script in a container; its name says what language it is in. */
	run(name: string, source: string, options?: Omit<RunOptions, "script" | "mode">): Promise<Outcome>;
	/** What is there of runs: containers, directories, sockets, processes. */
	left(): Promise<readonly string[]>;
	/** Passes when nothing is left of any run, waiting containers included. */
	requireNothingLeft(): Promise<void>;
}

export interface ContainerHostSetup extends Pick<HostOptions, "limits" | "audit"> {
	readonly containers?: Omit<ContainerSettings, "engine">;
	readonly dataDirectory?: string;
	/** Instead of the suite's engine. */
	readonly address?: string;
}

/** Opens one that keeps no containers waiting, unless `maxIdleContainers` says so. */
export async function openContainerHost(kind: EngineKind, setup: ContainerHostSetup = {}): Promise<ContainerHost> {
	await using opened = new AsyncDisposableStack();
	const address = setup.address ?? (await requireAddress(kind));
	let { dataDirectory } = setup;
	if (dataDirectory === undefined) {
		// Not the prefix of a host's own, and short: paths of sockets have at most 107 bytes.
		const made = await mkdtemp(join(tmpdir(), "containers-"));
		opened.defer(() => rm(made, { recursive: true, force: true }));
		dataDirectory = made;
	}
	const directory = dataDirectory;
	// Every new data directory would have the engine looked at once more.
	takeKnownIsolation(directory);
	opened.defer(() => keepKnownIsolation(directory));
	// There may be none: that is what some tests are about.
	const connected = await connectEngine(address).catch(() => undefined);
	if (connected) opened.use(connected);
	const host = opened.use(
		await createHost({
			dataDirectory: directory,
			warm: false,
			limits: { maxWorkers: 1, maxIdleContainers: 0, maxWallTimeMs: 120_000, ...setup.limits },
			containers: { engine: address, ...setup.containers },
			...(setup.audit !== undefined && { audit: setup.audit }),
		}),
	);
	const left = async (): Promise<readonly string[]> => [
		...(connected ? await containersOf(connected, host.id) : []).map(({ name }) => `container ${name}`),
		...directoriesOf(directory).map((name) => `directory ${name}`),
		...processesThatSee(directory).map((pid) => `process ${pid}`),
	];
	const owned = opened.move();
	return {
		host,
		get engine() {
			if (!connected) throw new Error(`There is no engine at ${address}.`);
			return connected;
		},
		dataDirectory: directory,
		run: (name, source, options = {}) => host.run({ ...options, mode: "container", script: { name, source } }),
		left,
		// A process that was killed is there for a moment more.
		requireNothingLeft: () => expect.poll(left, { timeout: 10_000 }).toEqual([]),
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}

/** The address of the suite's engine. A test file asks first whether there is one: `findTestEngine`. */
export async function requireAddress(kind: EngineKind): Promise<string> {
	const found = await findTestEngine(kind);
	if ("missing" in found) throw new Error(`There is no ${kind} for tests: ${found.missing}.`);
	return found.address;
}

/** The containers that a host has made and that are there. */
export const containersOf = (engine: ContainerEngine, hostId: string) =>
	engine.listContainers({ [containerLabels.host]: hostId });

/** The last line that a script has printed, which is JSON. */
// biome-ignore lint/suspicious/noExplicitAny: each script reports something else, and the test says what it expects.
export function reported(outcome: Outcome): any {
	const lines = printed(outcome).trimEnd().split("\n");
	try {
		return JSON.parse(lines.at(-1) ?? "");
	} catch {
		throw new Error(`The script has reported nothing: ${JSON.stringify({ ...outcome, logs: outcome.logs.slice(-20) })}`);
	}
}

function directoriesOf(dataDirectory: string): readonly string[] {
	try {
		// One file is every container's, and secret to none.
		return (readdirSync(join(dataDirectory, "runs"), { recursive: true }) as string[]).filter((name) => name !== "hosts");
	} catch {
		return [];
	}
}

/** Processes that have a directory of a run mounted, whatever they have made of themselves: all of a container have. */
export function processesThatSee(dataDirectory: string): readonly string[] {
	const path = `${dataDirectory}/runs/`;
	return readdirSync("/proc").filter((name) => {
		if (!/^\d+$/.test(name)) return false;
		try {
			return readFileSync(`/proc/${name}/mountinfo`, "utf8").includes(path);
		} catch {
			return false;
		}
	});
}
