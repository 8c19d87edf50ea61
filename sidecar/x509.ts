/** `@peculiar/x509` and the polyfill that it asks for, loaded by their first use: that takes some 200 ms, and most processes make no certificate. */
export async function loadX509(): Promise<typeof import("@peculiar/x509")> {
	await import("reflect-metadata");
	return await import("@peculiar/x509");
}
