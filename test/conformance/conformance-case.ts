import type { EventContext, Json, Scope } from "../../host/contract/generated/types.ts";
import type { LimitName } from "../../host/contract/limits.ts";
import type { Outcome } from "../../host/execution.ts";

/** One promise of the contract, written once for every door and SDK: what a run is given, what it calls, and what it must get. */
export interface ConformanceCase {
	readonly title: string;
	readonly given?: Given;
	readonly steps: readonly Step[];
	/** What a door or an SDK must have for it. One that lacks it says why. */
	readonly needs?: readonly Need[];
	/** What is left when the run has ended. */
	readonly leaves?: Leftovers;
}

/**
 * - `connection`: calls travel, so that their way can be disturbed
 * - `token`: a credential of its own
 * - `lasting-door`: a door that is still there when the run has ended
 * - `rights`: scopes, other namespaces and limits that differ from run to run
 * - `texts`: values are handed over as JSON texts
 * - `exact-numbers`: a number comes back as it was written
 * - `concurrency`: calls of one run that are under way at one time
 * - `thousand`: a thousand of them
 */
export type Need = "connection" | "token" | "lasting-door" | "rights" | "texts" | "exact-numbers" | "concurrency" | "thousand";

/** What a run finds. Values are JSON texts. */
export interface Given {
	readonly input?: Json;
	readonly variables?: Readonly<Record<string, Json>>;
	readonly event?: Omit<EventContext, "execution">;
	readonly scopes?: readonly Scope[];
	readonly limits?: Partial<Record<LimitName, number>>;
	/** Variables of another namespace. */
	readonly elsewhere?: Readonly<Record<string, Json>>;
	/** Of the token that the run is given; the host's `tokenLifetimeMs` otherwise. */
	readonly tokenLifetimeMs?: number;
}

export type Step = CallStep | ParallelStep | HarnessStep;

/** A call of one function of the contract. */
export interface CallStep {
	/** Its name in the JavaScript SDK. */
	readonly call: string;
	/** By the names of the WIT. A value is written `json("…")`, a part of a former result `result("label", "path")`. */
	readonly with?: Readonly<Record<string, unknown>>;
	/** A name for the result, for `result`. */
	readonly as?: string;
	/** What it returns (`toEqual`). */
	readonly returns?: unknown;
	/** The JSON text that it returns, to the letter. */
	readonly returnsText?: string;
	/** How it fails. */
	readonly fails?: { readonly code: string; readonly limit?: string; readonly currentVersion?: unknown };
}

/** The same call many times at one time: `lanes` callers, each of them `times` after another. Returns all results. */
export interface ParallelStep extends Omit<CallStep, "call"> {
	readonly parallel: CallStep & { readonly call: string };
	readonly lanes: number;
	readonly times: number;
}

/** Something that happens to the run and is not its own doing. */
export type HarnessStep =
	| { readonly waitMs: number }
	/** The answer to the next request does not arrive: the connection is cut when it comes. */
	| { readonly cutNextAnswer: true }
	/** The run ends. */
	| { readonly endRun: true }
	/** The token that the run was given is no longer good. */
	| { readonly firstTokenIsRefused: true };

export interface Leftovers {
	readonly output?: unknown;
	/** The output as it was set, to the letter. */
	readonly outputText?: string;
	readonly noOutput?: true;
	readonly condition?: boolean | null;
	/** Every variable of the namespace. */
	readonly variables?: Readonly<Record<string, unknown>>;
	readonly logs?: (logs: Outcome["logs"]) => void;
}

/** What came of a call: the JSON text of what it returned (`null` for nothing), or its error. */
export type StepResult =
	| { readonly text: string }
	| {
			readonly error: {
				readonly code: string;
				readonly message: string;
				readonly limit?: string;
				readonly currentVersion?: string;
			};
	  };

/** A value that is handed over as this JSON text. */
export const json = (text: Json): { readonly $json: Json } => ({ $json: text });

/** A part of what the call with this label returned: `result("entry", "metadata.version")`; all of it without a path. */
export const result = (label: string, path = ""): { readonly $result: string; readonly path: string } => ({
	$result: label,
	path,
});
