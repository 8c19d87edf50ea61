import type { ServedRun } from "../../host/executors/served-runs.ts";
import type { Host } from "../../host/index.ts";
import type { FinishedRun } from "./conformance.ts";
import type { ConformanceCase } from "./conformance-case.ts";
import type { CuttingProxy } from "./cutting-proxy.ts";
import { takeSteps } from "./guest-session.ts";
import { readVariables, seedElsewhere } from "./namespace.ts";
import type { SdkGuest } from "./sdk-guests.ts";

/** What the cases of a column have in common whose guest is the script of a run: each is a run of its own, with a door of its own. */
export interface PlacedColumn {
	readonly host: Host;
	readonly guest: SdkGuest;
	readonly internalErrors: readonly Error[];
	/** Opens the door of a case. What is to be cut has to be seen: `isCut` says whether something has to stand between the guest and the door. */
	readonly openDoor: (run: ServedRun, name: string, isCut: boolean, opened: AsyncDisposableStack) => Promise<PlacedDoor>;
}

/** A door as the guest reaches it. */
export interface PlacedDoor {
	readonly environment: Readonly<Record<string, string>>;
	readonly proxy: CuttingProxy | undefined;
}

export async function runPlacedCase(given: ConformanceCase, name: string, column: PlacedColumn): Promise<FinishedRun> {
	const { host, guest, internalErrors, openDoor } = column;
	const { elsewhere, tokenLifetimeMs: _, ...options } = given.given ?? {};
	await seedElsewhere(host, name, elsewhere);
	const run = await host.open({ namespace: name, ...options });
	const cuts = given.steps.filter((step) => "cutNextAnswer" in step).length;
	await using opened = new AsyncDisposableStack();
	const { environment, proxy } = await openDoor(run, name, cuts > 0, opened);
	await guest.enter(environment);
	const results = await takeSteps(guest, given, {
		cutNextAnswer: () => proxy?.cutNextAnswer(),
		endRun: () => Promise.reject(new Error("A run that has ended has no door.")),
		requireFirstTokenRefused: () => Promise.reject(new Error("There is only one token.")),
	});
	run.end({ status: "succeeded" });
	const outcome = await run.outcome;
	if ((proxy?.cuts ?? 0) !== cuts) throw new Error(`${proxy?.cuts} of ${cuts} answers were cut.`);
	if (internalErrors.length > 0) throw internalErrors[0];
	return { results, outcome, variables: await readVariables(host, name) };
}
