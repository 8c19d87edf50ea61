// Notices that a page has changed: cronium run examples/watch-page.ts --input '"https://example.com/"' --allow-host example.com
import { getVariable, log, setCondition, setVariable } from "cronium";

interface Seen {
	readonly etag: string | null;
	readonly length: number;
	readonly at: string;
}

export default async function watch(url: string) {
	const response = await fetch(url);
	if (!response.ok) throw new Error(`${url} answered ${response.status}.`);
	const body = await response.text();

	const key = `seen/${url}`;
	const before = await getVariable<Seen>(key);
	const now: Seen = { etag: response.headers.get("etag"), length: body.length, at: new Date().toISOString() };
	const changed = before !== null && (before.etag !== now.etag || before.length !== now.length);
	await setVariable(key, now);
	await setCondition(changed);
	await log.info(changed ? "The page has changed" : "Nothing new", { url, length: now.length });
	return { changed, before, now };
}
