/**
 * A copy of what is recorded of a request or an answer, without what can be a credential: the journal is read by more people than the script
 * that sent it. Of every object: a member `url` loses its user, password, fragment and the values of query parameters that sound like
 * secrets; of a member `headers` (pairs or an object) only well-known harmless ones keep their value; texts in other members stay.
 */
export function withoutCredentials(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(withoutCredentials);
	if (typeof value !== "object" || value === null) return value;
	const copy: [string, unknown][] = [];
	for (const [name, member] of Object.entries(value)) {
		if (name === "url" && typeof member === "string") copy.push([name, redactUrl(member)]);
		else if (name === "headers") copy.push([name, redactHeaders(member)]);
		else copy.push([name, withoutCredentials(member)]);
	}
	return Object.fromEntries(copy);
}

const removed = "[removed]";

function redactUrl(text: string): string {
	const url = URL.parse(text);
	if (!url) return removed;
	url.username = "";
	url.password = "";
	url.hash = "";
	for (const name of new Set(url.searchParams.keys())) if (secretName.test(name)) url.searchParams.set(name, removed);
	return url.href;
}

function redactHeaders(headers: unknown): unknown {
	if (Array.isArray(headers))
		return headers.map((pair) => (Array.isArray(pair) ? [pair[0], harmlessValue(String(pair[0]), pair[1])] : removed));
	if (typeof headers !== "object" || headers === null) return removed;
	return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, harmlessValue(name, value)]));
}

const harmlessValue = (name: string, value: unknown): unknown => (harmlessHeaders.has(name.toLowerCase()) ? value : removed);

const secretName = /token|key|secret|sig|pass|pwd|auth|code|session|credential|jwt|assertion/i;
const harmlessHeaders: ReadonlySet<string> = new Set([
	"accept",
	"accept-encoding",
	"accept-language",
	"age",
	"cache-control",
	"content-encoding",
	"content-language",
	"content-length",
	"content-range",
	"content-type",
	"date",
	"etag",
	"expires",
	"if-match",
	"if-modified-since",
	"if-none-match",
	"last-modified",
	"range",
	"retry-after",
	"server",
	"user-agent",
	"vary",
]);
