/** `expires-in-ms` → `expiresInMs`. */
export function camelCase(name: string): string {
	return name.toLowerCase().replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `set-options` → `SetOptions`. */
export function pascalCase(name: string): string {
	const camel = camelCase(name);
	return camel.charAt(0).toUpperCase() + camel.slice(1);
}
