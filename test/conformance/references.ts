/** Puts the results of former calls in the place of `result(label, path)`. Also bundled into scripts of the sandbox. */
export function resolveReferences(given: unknown, results: Readonly<Record<string, unknown>>): unknown {
	if (typeof given !== "object" || given === null) return given;
	if (Array.isArray(given)) return given.map((one) => resolveReferences(one, results));
	const { $result: label, path } = given as { readonly $result?: string; readonly path?: string };
	if (label !== undefined && path !== undefined) {
		if (!Object.hasOwn(results, label)) throw new Error(`No call is labelled ${label}.`);
		let found = results[label];
		for (const name of path.split(".").filter(Boolean)) found = (found as Record<string, unknown>)[name];
		return found;
	}
	// Matchers of the test runner have a prototype of their own.
	if (Object.getPrototypeOf(given) !== Object.prototype) return given;
	return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, resolveReferences(value, results)]));
}
