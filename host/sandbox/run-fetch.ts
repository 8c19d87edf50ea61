import type { Execution } from "../execution.ts";
import type { BoundHelpers } from "../helpers/helpers.ts";
import { createFetch, type Fetcher } from "./fetch.ts";

/** The requests of a run that was given hosts, each in its journal. */
export function openRunFetch(
	{ allowedHosts, limits }: Pick<Execution, "allowedHosts" | "limits">,
	{ record }: Pick<BoundHelpers, "record">,
	forbiddenPorts: readonly number[],
): Fetcher {
	return createFetch({
		allowedHosts,
		limits,
		forbiddenPorts,
		record: ({ url, method, ...result }) => record("sandbox.fetch", { url, method }, result),
	});
}
