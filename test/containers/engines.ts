/** The engines that tests run containers with. */
export const engineKinds = ["docker", "podman"] as const;
export type EngineKind = (typeof engineKinds)[number];

/** The address of an engine that has the images of this version, for the whole suite; undefined where there is none, and why. */
export async function findTestEngine(kind: EngineKind): Promise<{ readonly address: string } | { readonly missing: string }> {
	const address = process.env[`CRONIUM_TEST_${kind.toUpperCase()}`];
	return address ? { address } : { missing: `CRONIUM_TEST_${kind.toUpperCase()} is not set` };
}
