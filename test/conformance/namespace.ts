import type { Host } from "../../host/index.ts";

/** Every variable of a namespace (JSON texts). */
export async function readVariables(host: Host, namespace: string): Promise<Record<string, string>> {
	const variables = host.variables(namespace);
	const keys = (await variables.list({ limit: 1_000 })).items.map(({ key }) => key);
	return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, (await variables.get(key)) as string] as const)));
}

/** Writes variables that the run must not see, into a namespace whose name begins as its own does. */
export async function seedElsewhere(host: Host, namespace: string, given: Readonly<Record<string, string>> = {}): Promise<void> {
	for (const [key, value] of Object.entries(given)) await host.variables(`${namespace}-elsewhere`).set(key, value);
}
