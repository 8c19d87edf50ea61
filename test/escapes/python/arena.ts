import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect } from "vitest";
import { createHost, type Host, type LimitName, type Outcome, type RunOptions } from "../../../host/index.ts";
import { printed } from "../../printed.ts";
import { placePythonImage } from "../../python-image.ts";
import { temporaryDirectory } from "../../store/directory.ts";
import { requireNoDisclosure } from "../arena.ts";

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");

/** Gives a script the whole linear memory to read and to write: a module `forge` beside it. */
export const forgery = { "forge.py": read("forge.py") };
const canary = read("canary.py");

/** One worker, so that what an attack leaves behind meets the next run; limits short enough for a test. */
const arenaLimits: Partial<Record<LimitName, number>> = { maxWorkers: 1, maxWallTimeMs: 20_000, cancelGraceMs: 200 };

export interface PythonArena {
	readonly host: Host;
	/** Runs a script, then requires that its outcome tells nothing of the host, and that the next run finds nothing of it. */
	run(source: string, options?: Partial<RunOptions>): Promise<Outcome>;
	/** The same of a script that has to succeed; what it has printed, as JSON. */
	look(source: string, options?: Partial<RunOptions>): Promise<unknown>;
}

export interface PythonArenaOptions {
	readonly guests?: "threads" | "process";
	readonly limits?: Partial<Record<LimitName, number>>;
}

/** A host for the tests of one file. */
export function usePythonArena({ guests = "threads", limits = {} }: PythonArenaOptions = {}): PythonArena {
	const directory = temporaryDirectory();
	const randoms = new Set<number>();
	let host: Host | undefined;
	let baseline: unknown;

	/** What a run finds; fails when its random numbers have been there before. */
	async function inspect(): Promise<unknown> {
		const script = { name: "canary.py", source: canary };
		// Those of the attacks are too short for a worker that has only begun, on a machine that has other things to do.
		const outcome = await arena.host.run({
			script,
			namespace: "canary",
			limits: { maxWallTimeMs: 60_000, maxCpuTimeMs: 60_000 },
		});
		expect(outcome).toMatchObject({ status: "succeeded", exitCode: 0 });
		const [line, rest] = printed(outcome).split("\n");
		expect(rest).toBe("unfinished");
		const { found, random } = JSON.parse(line ?? "") as { found: unknown; random: number };
		expect(randoms.has(random)).toBe(false);
		randoms.add(random);
		return found;
	}

	beforeAll(async () => {
		await placePythonImage(directory.path);
		host = await createHost({ guests, dataDirectory: directory.path, limits: { ...arenaLimits, ...limits } });
		await host.variables("canary").set("canary", '"alive"');
		baseline = await inspect();
		expect(await inspect()).toEqual(baseline);
	}, 120_000);
	afterAll(async () => {
		await host?.dispose();
		directory.remove();
	});
	const arena: PythonArena = {
		get host() {
			if (!host) throw new Error("The host is made in beforeAll.");
			return host;
		},
		async run(source, options = {}) {
			const outcome = await this.host.run({ script: { name: "attack.py", source }, ...options });
			requireNoDisclosure(outcome);
			expect(await inspect()).toEqual(baseline);
			return outcome;
		},
		async look(source, options) {
			const outcome = await this.run(source, options);
			expect({ status: outcome.status, error: outcome.error }).toEqual({ status: "succeeded", error: undefined });
			return JSON.parse(printed(outcome));
		},
	};
	return arena;
}
