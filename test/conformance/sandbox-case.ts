import type { Host } from "../../host/index.ts";
import type { RunOptions } from "../../host/run-options.ts";
import type { FinishedRun } from "./conformance.ts";
import type { ConformanceCase, StepResult } from "./conformance-case.ts";
import { type GuestCall, toGuestCall } from "./guest-step.ts";
import { readVariables, seedElsewhere } from "./namespace.ts";

/** What a script in the sandbox is given at once: nobody can speak to it while it runs. */
export interface SandboxOrder {
	readonly steps: readonly (GuestCall | { readonly waitMs: number })[];
	/** Where the results go: what the case itself is about must stay as it is. */
	readonly reportTo: "output" | "log";
}

/** Runs a case whose guest is the script of the run itself. `place` makes the script of its order. */
export async function runSandboxCase(
	given: ConformanceCase,
	host: Host,
	namespace: string,
	place: (order: SandboxOrder) => Pick<RunOptions, "script" | "files" | "arguments">,
): Promise<FinishedRun> {
	const { elsewhere, tokenLifetimeMs: _, limits, ...options } = given.given ?? {};
	await seedElsewhere(host, namespace, elsewhere);
	const { output, outputText, noOutput } = given.leaves ?? {};
	const isAboutOutput = output !== undefined || outputText !== undefined || noOutput || limits?.maxOutputBytes !== undefined;
	const reportTo = isAboutOutput || options.scopes?.includes("output:write") === false ? "log" : "output";
	const steps = given.steps.map((step) => ("waitMs" in step ? step : (toGuestCall(step) as GuestCall)));
	const outcome = await host.run({
		...options,
		namespace,
		limits: { ...(reportTo === "output" && { maxOutputBytes: 16 * 1024 * 1024 }), ...limits },
		...place({ steps, reportTo }),
	});
	if (outcome.error) throw new Error(`${outcome.error.code}: ${outcome.error.message}\n${outcome.error.stack ?? ""}`);
	const variables = await readVariables(host, namespace);
	if (reportTo === "output") return { results: JSON.parse(outcome.output as string) as StepResult[], outcome, variables };
	const report = outcome.logs.at(-1);
	return {
		results: JSON.parse(report?.message.replace("results ", "") ?? "") as StepResult[],
		outcome: { ...outcome, logs: outcome.logs.slice(0, -1) },
		variables,
	};
}
