import type { StepResult } from "../conformance-case.ts";
import type { GuestCall } from "../guest-step.ts";

type Client = Readonly<Record<string, (...given: readonly unknown[]) => unknown>>;

/** Performs one call with a JavaScript SDK, and describes what came of it. */
export async function perform(client: Client, call: GuestCall): Promise<StepResult> {
	try {
		return { text: write(await client[call.name]?.(...call.arguments.map(toArgument))) };
	} catch (error) {
		return describeError(error);
	}
}

/** The same many times at one time. */
export async function performAll(client: Client, { lanes = 1, times = 1, ...call }: GuestCall): Promise<StepResult> {
	const ofLanes = await Promise.all(
		Array.from({ length: lanes }, async () => {
			const results: StepResult[] = [];
			for (let time = 0; time < times; time++) results.push(await perform(client, call));
			return results;
		}),
	);
	return joinResults(ofLanes.flat());
}

/** The first error, or all that was returned as one array. */
export function joinResults(results: readonly StepResult[]): StepResult {
	const texts: string[] = [];
	for (const result of results) {
		if ("error" in result) return result;
		texts.push(result.text);
	}
	return { text: `[${texts.join(",")}]` };
}

export function toArgument(given: unknown): unknown {
	if (given === null) return undefined;
	if (typeof given === "object" && "$json" in given) return JSON.parse(given.$json as string);
	return given;
}

export const write = (value: unknown): string => JSON.stringify(value ?? null);

export function describeError(error: unknown): StepResult {
	const {
		code = "no RuntimeError",
		message,
		details,
	} = error as {
		readonly code?: string;
		readonly message: string;
		readonly details?: { readonly limit?: { readonly name: string }; readonly currentVersion?: string };
	};
	return {
		error: {
			code,
			message,
			...(details?.limit && { limit: details.limit.name }),
			...(details?.currentVersion !== undefined && { currentVersion: details.currentVersion }),
		},
	};
}
