/** Makes these the only settings of the SDK. */
export function enter(environment: Readonly<Record<string, string>>): void {
	for (const name of Object.keys(process.env)) if (name.startsWith("CRONIUM_")) delete process.env[name];
	Object.assign(process.env, environment);
}
