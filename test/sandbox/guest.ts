import { afterAll, beforeAll, describe } from "vitest";
import type { LimitName } from "../../host/contract/limits.ts";
import type { LogLine } from "../../host/execution.ts";
import type { EngineName, GuestResult, Surroundings } from "../../host/sandbox/engine.ts";
import { createEngine } from "../../host/sandbox/engines.ts";
import type { GuestEngine } from "../../host/sandbox/guest-engine.ts";
import { drawSeed } from "../../host/sandbox/seed.ts";
import { startRun } from "../helpers/run.ts";

export interface GuestRun {
	readonly result: GuestResult;
	/** What the default function returned. */
	readonly value: unknown;
	readonly stdout: string;
	readonly stderr: string;
	readonly logs: readonly LogLine[];
}

export interface GuestOptions {
	readonly input?: unknown;
	readonly limits?: Partial<Record<LimitName, number>>;
	readonly fetch?: Surroundings["fetch"];
}

export interface GuestSetup {
	/** Runs a module to its end. */
	run(source: string, options?: GuestOptions): Promise<GuestRun>;
	/** The value of an expression, which may await; throws what it throws. */
	evaluate(expression: string, options?: GuestOptions): Promise<unknown>;
}

/** The same tests in the prelude of every engine. */
export function describeGuests(tests: (guest: GuestSetup) => void): void {
	describe.each<EngineName>(["quickjs-wasi", "quickjs-emscripten"])("%s", (name) => {
		let engine: GuestEngine;
		beforeAll(async () => {
			engine = await createEngine(name);
		});
		afterAll(() => engine[Symbol.dispose]());

		async function run(source: string, { input, limits, fetch }: GuestOptions = {}): Promise<GuestRun> {
			const started = await startRun({ ...(limits && { limits }), ...(input !== undefined && { input: JSON.stringify(input) }) });
			const printed = { stdout: "", stderr: "" };
			const surroundings: Surroundings = {
				seed: drawSeed(),
				print: (stream, text) => {
					printed[stream] += text;
				},
				...(fetch && { fetch }),
			};
			const script = { name: "script.js", source };
			const result = await engine.run(
				script,
				started.execution,
				started.helpers,
				surroundings,
				new Int32Array(new SharedArrayBuffer(4)),
			);
			return {
				result,
				value: result.returned === undefined ? undefined : JSON.parse(result.returned),
				logs: started.logs,
				...printed,
			};
		}
		tests({
			run,
			async evaluate(expression, options) {
				const { result, value } = await run(`export default async () => (${expression});`, options);
				if (result.failure) throw new Error(`${result.failure.name}: ${result.failure.message}`);
				return value;
			},
		});
	});
}
