// Bundled, with the calls of one case before it, into a script of the sandbox.
// @ts-expect-error The sandbox has the module.
import cronium from "cronium";
import type { StepResult } from "../conformance-case.ts";
import type { GuestCall } from "../guest-step.ts";
import { resolveReferences } from "../references.ts";
import { perform, performAll } from "./perform.ts";

declare const calls: readonly (GuestCall | { readonly waitMs: number })[];
/** Where the results go: what the case itself is about must stay as it is. */
declare const reportTo: "output" | "log";

export default async function (): Promise<string | undefined> {
	const results: StepResult[] = [];
	const labelled: Record<string, unknown> = {};
	for (const step of calls) {
		if ("waitMs" in step) {
			await new Promise<void>((resolve) => setTimeout(resolve, step.waitMs));
			continue;
		}
		const call = resolveReferences(step, labelled) as GuestCall;
		const done = await (call.lanes === undefined ? perform : performAll)(cronium as never, call);
		if (call.as !== undefined && "text" in done) labelled[call.as] = JSON.parse(done.text);
		results.push(done);
	}
	// As one text: a limit on the depth of values is none of it.
	const report = JSON.stringify(results);
	if (reportTo === "output") return report;
	await cronium.log.debug(`results ${report}`);
	return undefined;
}
