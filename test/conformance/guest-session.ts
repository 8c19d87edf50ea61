import { setTimeout as wait } from "node:timers/promises";
import type { ConformanceCase, StepResult } from "./conformance-case.ts";
import { type GuestCall, toGuestCall } from "./guest-step.ts";
import { resolveReferences } from "./references.ts";
import type { SdkGuest } from "./sdk-guests.ts";

/** What a door does to the run of a case beside its calls. */
export interface Harness {
	cutNextAnswer(): void;
	endRun(): Promise<void>;
	requireFirstTokenRefused(): Promise<void>;
}

/** Takes the steps of a case one after another: calls by the guest, everything else by the harness. */
export async function takeSteps(guest: SdkGuest, { steps }: ConformanceCase, harness?: Harness): Promise<StepResult[]> {
	const results: StepResult[] = [];
	const labelled: Record<string, unknown> = {};
	for (const step of steps) {
		if ("waitMs" in step) await wait(step.waitMs);
		else if ("cutNextAnswer" in step) harness?.cutNextAnswer();
		else if ("endRun" in step) await harness?.endRun();
		else if ("firstTokenIsRefused" in step) await harness?.requireFirstTokenRefused();
		else {
			const call = resolveReferences(toGuestCall(step), labelled) as GuestCall;
			const found = await guest.perform(call);
			if (call.as !== undefined && "text" in found) labelled[call.as] = JSON.parse(found.text);
			results.push(found);
		}
	}
	return results;
}
