import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Outcome } from "../../host/execution.ts";
import { cases } from "./cases/cases.ts";
import type { CallStep, ConformanceCase, Need, ParallelStep, Step, StepResult } from "./conformance-case.ts";
import { matrixFile, readCells } from "./matrix.ts";
import { resolveReferences } from "./references.ts";

/** A way to the helpers, with the SDKs that take it. */
export interface ConformanceDoor {
	/** As the matrix calls it. */
	readonly name: string;
	readonly columns: readonly ConformanceColumn[];
}

/** A door with one SDK or engine. */
export interface ConformanceColumn {
	readonly name: string;
	/** What it cannot have, and why. */
	readonly lacks?: Partial<Record<Need, string>>;
	/** Starts what performs the calls: once for all cases. */
	open(): Promise<ConformanceSession>;
}

export interface ConformanceSession extends AsyncDisposable {
	run(given: ConformanceCase): Promise<FinishedRun>;
}

/** What a case has shown. */
export interface FinishedRun {
	/** In the order of the steps that are calls. */
	readonly results: readonly StepResult[];
	/** Where somebody keeps it: the stub does not. */
	readonly outcome?: Outcome;
	/** Every variable that is left (JSON texts). */
	readonly variables?: Readonly<Record<string, string>>;
}

/** Runs every case through the door, with each of its SDKs. */
export function conformance(door: ConformanceDoor): void {
	describe(door.name, () => {
		const running = door.columns.map((column) => new RunningColumn(column));
		let all: Promise<void>;
		beforeAll(() => {
			all = runColumns(running);
		});
		afterAll(() => all, 300_000);

		describe.each(running)("$name", (column) => {
			for (const given of cases)
				test(given.title, { timeout: 300_000 }, async (context) => {
					const reason = whyNot(given, column.column);
					if (reason !== undefined) context.skip(reason);
					check(given, await column.finished(given));
				});
		});

		test.skipIf(process.env.CRONIUM_WRITE_MATRIX)("its columns in the documentation are these", () => {
			const documented = readCells(readFileSync(matrixFile, "utf8"));
			for (const column of door.columns)
				for (const given of cases) {
					const cell = documented.get(`${door.name}/${column.name}/${given.title}`);
					expect(cell, `${given.title}: ${door.name}, ${column.name}`).toBe(whyNot(given, column) ?? "passed");
				}
		});
	});
}

/** Two columns at a time: much of what a case takes is waiting. The last ones first, because Bash takes longest: each of its calls is a process. */
async function runColumns(columns: readonly RunningColumn[]): Promise<void> {
	const waiting = [...columns];
	const runLane = async (): Promise<void> => {
		for (let column = waiting.pop(); column; column = waiting.pop()) await column.run();
	};
	// Nothing of the other lane is left behind by one that fails.
	for (const lane of await Promise.allSettled([runLane(), runLane()])) if (lane.status === "rejected") throw lane.reason;
}

/** A column whose cases are run one after another; a test waits for the one that is its own. */
class RunningColumn {
	readonly name: string;
	readonly column: ConformanceColumn;
	readonly #runs = new Map(cases.map((given) => [given, Promise.withResolvers<FinishedRun>()]));

	constructor(column: ConformanceColumn) {
		this.name = column.name;
		this.column = column;
		// A case that fails is told by its test, which may come later.
		for (const { promise } of this.#runs.values()) promise.catch(() => undefined);
	}

	finished(given: ConformanceCase): Promise<FinishedRun> {
		return (this.#runs.get(given) as PromiseWithResolvers<FinishedRun>).promise;
	}

	/** Rejects when what performs the calls does not end as it should. */
	async run(): Promise<void> {
		let session: ConformanceSession;
		try {
			session = await this.column.open();
		} catch (error) {
			for (const { reject } of this.#runs.values()) reject(error);
			return;
		}
		await using _session = session;
		for (const [given, { resolve, reject }] of this.#runs)
			if (whyNot(given, this.column) === undefined) await session.run(given).then(resolve, reject);
	}
}

/** Why the case is not run there; undefined when it is. */
function whyNot({ needs = [] }: ConformanceCase, { lacks }: ConformanceColumn): string | undefined {
	return needs.map((need: Need) => lacks?.[need]).find((reason) => reason !== undefined);
}

function check(given: ConformanceCase, { results, outcome, variables }: FinishedRun): void {
	const labelled: Record<string, unknown> = {};
	const calls = given.steps.filter(isCall);
	expect(results).toHaveLength(calls.length);
	for (const [index, step] of calls.entries()) {
		const found = results[index] as StepResult;
		const name = `step ${index + 1}, ${"call" in step ? step.call : step.parallel.call}`;
		if (step.fails) {
			const { code, limit, currentVersion } = resolveReferences(step.fails, labelled) as NonNullable<CallStep["fails"]>;
			expect(found, name).toHaveProperty("error");
			const { error } = found as Extract<StepResult, { error: unknown }>;
			// Which limit a number is over is said by those who check it first.
			const { limit: foundLimit } = error;
			expect(
				{ ...error, message: undefined, limit: limit === undefined ? undefined : foundLimit },
				`${name}: ${error.message}`,
			).toEqual({
				code,
				...(limit !== undefined && { limit }),
				...(currentVersion !== undefined && { currentVersion }),
			});
			// An error without a word helps nobody.
			expect(error.message, name).toMatch(/\w/);
			continue;
		}
		expect(found, name).not.toHaveProperty("error");
		const { text } = found as Extract<StepResult, { text: string }>;
		const value = JSON.parse(text) as unknown;
		if (step.as !== undefined) labelled[step.as] = value;
		if ("returns" in step) expect(value, name).toEqual(resolveReferences(step.returns, labelled));
		if (step.returnsText !== undefined) expect(text, name).toBe(step.returnsText);
	}
	const { leaves } = given;
	if (outcome) {
		const { output, condition, noOutput, outputText, logs } = leaves ?? {};
		if (output !== undefined) expect(outcome.output).toEqual(output);
		if (outputText !== undefined) expect(outcome.outputText).toBe(outputText);
		if (noOutput) expect(outcome.outputText).toBeUndefined();
		if (condition !== undefined) expect(outcome.condition).toBe(condition);
		logs?.(outcome.logs);
	}
	if (variables && leaves?.variables) {
		const parsed = Object.entries(variables).map(([key, text]) => [key, JSON.parse(text)] as const);
		expect(Object.fromEntries(parsed)).toEqual(leaves.variables);
	}
}

export function isCall(step: Step): step is CallStep | ParallelStep {
	return "call" in step || "parallel" in step;
}
