import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { RuntimeError } from "../../host/contract/errors.ts";
import { resolveLimits } from "../../host/contract/limits.ts";
import { createFetch } from "../../host/sandbox/fetch.ts";
import { buildPrelude } from "../../host/sandbox/prelude/build.ts";
import { describeGuests } from "./guest.ts";

/** Expressions with a JSON value: each is evaluated here and in the sandbox, and has to give the same. */
const same: Record<string, string> = {
	TextEncoder: String.raw`[
		...["", "abc", "é€😀", "\ud800", "a\udc00b", "\ud83d\ude00\ud83d"].map((text) => [...new TextEncoder().encode(text)]),
		new TextEncoder().encodeInto("é€😀x", new Uint8Array(5)), new TextEncoder().encodeInto("😀", new Uint8Array(3)), new TextEncoder().encoding,
		[...new TextEncoder().encode()], Object.prototype.toString.call(new TextEncoder())]`,
	TextDecoder: `[
		...[[], [0x61], [0xc3, 0xa9], [0xe2, 0x82, 0xac], [0xf0, 0x9f, 0x98, 0x80], [0xff], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xc0, 0x80], [0xed, 0xa0, 0x80],
			[0xf4, 0x90, 0x80, 0x80], [0xe2, 0x28, 0xa1], [0xf0, 0x28, 0x8c, 0x28], [0xef, 0xbb, 0xbf, 0x61], [0xfe, 0x61, 0xe2, 0x82, 0x62], [0x80, 0xbf, 0xc3, 0xa9]]
			.flatMap((bytes) => [new TextDecoder().decode(new Uint8Array(bytes)), new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array(bytes)),
				(() => { try { return new TextDecoder("utf8", { fatal: true }).decode(new Uint8Array(bytes)) } catch (error) { return error.name } })()]),
		new TextDecoder("utf-16le").decode(new Uint8Array([0x61, 0, 0x3d, 0xd8, 0, 0xde, 0, 0xd8, 0x62])), new TextDecoder("utf-16be").decode(new Uint8Array([0, 0x61])),
		new TextDecoder("latin1").decode(new Uint8Array([0xe9, 0x80, 0x99])), new TextDecoder("LATIN1 ").encoding, new TextDecoder(" UTF8").encoding, new TextDecoder("ucs-2").encoding,
		(() => { try { new TextDecoder("nonsense") } catch (error) { return error.name } })(),
		new TextDecoder().decode(new Uint8Array([1, 0x61, 0x62, 2]).subarray(1, 3)), new TextDecoder().decode(new DataView(new Uint8Array([0x61, 0x62]).buffer, 1)),
		new TextDecoder().fatal, new TextDecoder("utf-8", { ignoreBOM: true }).ignoreBOM]`,
	"TextDecoder, chunk by chunk": String.raw`(() => {
		const results = [];
		for (const label of ["utf-8", "utf-16le"]) for (const size of [1, 2, 3, 5]) {
			const bytes = label === "utf-8" ? new TextEncoder().encode("\ufeffaé€😀\ufeff!") : new Uint8Array(new Uint16Array([0xfeff, 0x61, 0xd83d, 0xde00, 0xd800, 0x62]).buffer);
			const decoder = new TextDecoder(label);
			let text = "";
			for (let at = 0; at < bytes.length; at += size) text += decoder.decode(bytes.subarray(at, at + size), { stream: true }) + "|";
			results.push(text.replaceAll("|", "") + decoder.decode());
		}
		const cut = new TextDecoder(); cut.decode(new Uint8Array([0xe2, 0x82]), { stream: true }); results.push(cut.decode(), cut.decode(new Uint8Array([0xac])));
		const bad = new TextDecoder(); results.push(bad.decode(new Uint8Array([0xf0, 0x28]), { stream: true }), bad.decode());
		return results;
	})()`,
	"a large text": `new TextDecoder().decode(new TextEncoder().encode("aé😀".repeat(5000))).length`,
	"atob and btoa": String.raw`[btoa("hello"), btoa(""), btoa("\xff\x00"), atob("aGVsbG8="), atob(" aG Vs\nbG8 "), atob("aGVsbG8"), atob(""),
		...["a", "ab=", "ab=c", "a===", "é", "====", "ab==="].map((text) => { try { return atob(text) } catch (error) { return error.name } }),
		(() => { try { btoa("€") } catch (error) { return [error.name, error instanceof DOMException, error.code] } })()]`,
	URL: `["https://user:pa%20ss@Example.COM:8080/a/../b/./c?q=1&r=é#frag", "http://bücher.de/ü", "HTTP://1.2.3/", "file:///C|/x/../y", "mailto:a@b", "data:text/plain,x y#z", "http://[::ffff:1.2.3.4]:80/", "foo://h/a?b"]
		.map((text) => { const url = new URL(text); return [url.href, url.origin, url.protocol, url.username, url.password, url.host, url.hostname, url.port, url.pathname, url.search, url.hash, JSON.stringify(url), "" + url] })`,
	"URL, relative and invalid": `[new URL("../x?y#z", "http://a/b/c/d").href, new URL("//h/p", "https://a/").href, new URL("?q", "http://a/b?c#d").href, URL.canParse("x"), URL.canParse("x", "http://a"), URL.parse("x"), URL.parse("x", "http://a").href,
		...["", "x", "http://", "http://a b/", "http://[::1", "http://a:99999", "//x"].map((text) => { try { return new URL(text).href } catch (error) { return [error.name, error.code, error.message] } })]`,
	"URL, assigned to": `(() => { const url = new URL("http://h/p?a=1"); url.searchParams.append("b", "x y"); const first = url.href; url.search = "?c=3"; const second = [...url.searchParams]; url.pathname = "/é/../z"; url.hash = "h"; url.port = "443"; url.protocol = "https"; url.hostname = "other"; url.username = "u:"; url.searchParams.delete("c"); return [first, second, url.href] })()`,
	URLSearchParams: `[new URLSearchParams("?a=1&b=2&a=3&c=%20+%&=x&d").toString(), new URLSearchParams({ a: "é&=", b: 2 }).toString(), new URLSearchParams([["x", "1"], ["y", "2"]]).toString(),
		(() => { const p = new URLSearchParams("b=1&a=2&b=3"); p.set("b", "9"); p.append("c", "!'()*~"); p.sort(); return [p.toString(), p.get("b"), p.get("z"), p.getAll("a"), p.has("a"), p.has("a", "3"), p.size, [...p.keys()], [...p.values()]] })(),
		(() => { const p = new URLSearchParams("a=1&a=2"); p.delete("a", "1"); const seen = []; p.forEach((value, name, self) => seen.push([value, name, self === p])); return [p + "", seen] })(),
		(() => { try { new URLSearchParams([["a"]]) } catch (error) { return error.name } })()]`,
	structuredClone: `(() => {
		const source = { date: new Date(5), re: /x/gi, map: new Map([[1, { a: 1 }]]), set: new Set([1]), array: [1, , 3], nested: { n: null, u: undefined }, big: 1n, bytes: new Uint8Array([1, 2]).subarray(1), view: new DataView(new ArrayBuffer(4), 1, 2), error: new RangeError("m", { cause: "c" }), boxed: Object("s") };
		source.self = source; source.twice = source.nested;
		const copy = structuredClone(source);
		const refused = [() => {}, Symbol(), { f() {} }, new WeakMap(), Promise.resolve()].map((value) => { try { return structuredClone(value) } catch (error) { return [error.name, error.code] } });
		const buffer = new ArrayBuffer(4); const moved = structuredClone(buffer, { transfer: [buffer] });
		return [copy !== source, copy.self === copy, copy.twice === copy.nested, copy.date.getTime(), String(copy.re), copy.map.get(1), [...copy.set], 1 in copy.array, copy.array.length, copy.nested, String(copy.big), [...copy.bytes], copy.bytes.buffer.byteLength,
			copy.view.byteLength, copy.error instanceof RangeError, copy.error.message, copy.error.cause, copy.boxed instanceof String, Object.keys(structuredClone(new (class A { x = 1; get y() { return 2 } })())), refused, buffer.byteLength, moved.byteLength];
	})()`,
	"Event and EventTarget": `(() => {
		const log = []; const target = new EventTarget();
		const object = { handleEvent(event) { log.push(["object", this === object, event.type]) } };
		const listener = function (event) { log.push(["function", this === target, event.target === target, event.currentTarget === target, event.eventPhase]) };
		target.addEventListener("x", listener); target.addEventListener("x", listener); target.addEventListener("x", object); target.addEventListener("x", () => log.push("once"), { once: true });
		target.addEventListener("x", (event) => { event.preventDefault(); log.push(event.defaultPrevented) }, { passive: true });
		log.push(target.dispatchEvent(new Event("x", { cancelable: true }))); target.removeEventListener("x", listener); log.push(target.dispatchEvent(new Event("x")));
		const stop = new EventTarget(); stop.addEventListener("y", (event) => { event.preventDefault(); event.stopImmediatePropagation() }); stop.addEventListener("y", () => log.push("never"));
		const event = new Event("y", { cancelable: true, bubbles: true }); log.push(stop.dispatchEvent(event), event.defaultPrevented, event.bubbles, event.isTrusted, event.composedPath(), event.target === stop, event.currentTarget);
		const custom = new CustomEvent("z", { detail: { a: 1 } }); log.push(custom.detail, custom instanceof Event, new CustomEvent("w").detail, String(custom));
		const controller = new AbortController(); const aborted = new EventTarget(); aborted.addEventListener("v", () => log.push("no"), { signal: controller.signal }); controller.abort(); aborted.dispatchEvent(new Event("v"));
		try { target.dispatchEvent({ type: "x" }) } catch (error) { log.push(error.name) } try { new Event() } catch (error) { log.push(error.name) }
		return log;
	})()`,
	"AbortController and AbortSignal": `(async () => {
		const log = []; const controller = new AbortController(); const { signal } = controller;
		signal.onabort = (event) => log.push(["on", event.type, event.isTrusted]); signal.addEventListener("abort", () => log.push("listener"));
		log.push(signal.aborted, signal.reason === undefined); controller.abort(); controller.abort("again"); log.push(signal.aborted, signal.reason.name, signal.reason.message, signal.reason instanceof DOMException);
		try { signal.throwIfAborted() } catch (error) { log.push(error.name) }
		log.push(AbortSignal.abort("why").reason, AbortSignal.abort().aborted);
		const a = new AbortController(); const b = new AbortController(); const any = AbortSignal.any([a.signal, b.signal]); const further = AbortSignal.any([any]);
		further.addEventListener("abort", () => log.push(["any", any.aborted, further.reason])); b.abort("b"); a.abort("a"); log.push(any.reason);
		log.push(AbortSignal.any([AbortSignal.abort("done")]).reason, AbortSignal.any([]).aborted);
		const timeout = AbortSignal.timeout(1); await new Promise((resolve) => { timeout.onabort = resolve }); log.push(timeout.reason.name);
		try { new AbortSignal() } catch (error) { log.push(error.name) } try { AbortSignal.timeout(-1) } catch (error) { log.push(error.name) }
		return log;
	})()`,
	timers: `(async () => {
		const log = []; const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
		setTimeout((...args) => log.push(args), 1, "a", 2); clearTimeout(setTimeout(() => log.push("never"), 1)); clearTimeout(undefined); clearTimeout(99999); queueMicrotask(() => log.push("micro")); log.push("sync");
		await wait(20);
		let count = 0; await new Promise((resolve) => { const id = setInterval(() => { if (++count === 3) { clearInterval(id); resolve() } }, 1) }); await wait(10); log.push(count);
		await new Promise((resolve) => setImmediate((x) => { log.push(x); resolve() }, "immediate"));
		setTimeout(() => log.push("same 1"), 5); setTimeout(() => log.push("same 2"), 5); await wait(20); await wait(); await wait(NaN); await wait(-5); await wait("1");
		for (const bad of [() => setTimeout("code", 1), () => setTimeout(), () => queueMicrotask(1)]) try { bad() } catch (error) { log.push(error.name) }
		return log;
	})()`,
	Headers: String.raw`(() => {
		const headers = new Headers({ "X-B": " 2 ", a: 1 }); headers.append("x-b", "3"); headers.append("Set-Cookie", "a=1"); headers.append("set-cookie", "b=2");
		const copy = new Headers(headers); copy.set("X-B", "new"); copy.delete("A");
		const refused = [["a b", "1"], ["", "1"], ["a", "x\ny"], ["a", "\0"], ["é", "1"], ["a", "€"]].map(([name, value]) => { try { new Headers().append(name, value); return "ok" } catch (error) { return error.name } });
		return [[...headers], headers.get("x-B"), headers.get("none"), headers.has("A"), headers.getSetCookie(), [...copy], [...new Headers([["p", "q"]]).keys()], refused, (() => { const seen = []; headers.forEach((value, name) => seen.push(name + value)); return seen })()];
	})()`,
	"Blob and File": `(async () => {
		const blob = new Blob(["aé", new Uint8Array([98]), new Uint8Array([99, 100]).buffer, new Blob(["e"])], { type: "Text/Plain" });
		const file = new File(["x"], "name.txt", { type: "a/b", lastModified: 5 });
		return [blob.size, blob.type, await blob.text(), [...new Uint8Array(await blob.arrayBuffer())], await blob.slice(1, 4).text(), await blob.slice(-2).text(), blob.slice(0, 1, "x/y").type, file.name, file.size, file.type, file.lastModified, file instanceof Blob, String(file), new Blob().size, [...await blob.bytes()]];
	})()`,
	"Request and Response": `(async () => {
		const log = [];
		const request = new Request("http://h/p#f", { method: "post", body: new URLSearchParams("a=1"), headers: { x: "1" } });
		const copy = request.clone(); log.push(request.method, request.url, [...request.headers], await request.text(), request.bodyUsed, await copy.text(), new Request("http://h", { method: "patch" }).method);
		for (const bad of [() => new Request("http://h", { body: "x" }), () => new Request("relative"), () => new Request("http://u:p@h"), () => new Request("http://h", { method: "TRACE" }), () => new Request("http://h", { method: "a b" }), () => new Response("x", { status: 204 }), () => new Response("x", { status: 99 })]) try { bad(); log.push("ok") } catch (error) { log.push(error.name) }
		const response = new Response(JSON.stringify({ a: "é" }), { status: 201, statusText: "Made", headers: { "content-type": "application/json" } });
		log.push(response.ok, response.status, response.statusText, response.type, response.url, response.redirected, await response.clone().json(), (await response.clone().arrayBuffer()).byteLength, (await response.clone().blob()).type, await response.text(), response.bodyUsed);
		await response.text().catch((error) => log.push(error.name)); try { response.clone() } catch (error) { log.push(error.name) }
		log.push(await Response.json({ b: 1 }).json(), Response.json(1).headers.get("content-type"), Response.error().type, Response.redirect("http://x/", 301).headers.get("location"), new Response("t").headers.get("content-type"), new Response(new Blob(["x"], { type: "a/b" })).headers.get("content-type"), await new Response().text(), new Response(null).bodyUsed);
		return log;
	})()`,
	DOMException: `(() => { const error = new DOMException("m", "AbortError"); return [error.name, error.message, error.code, error instanceof Error, DOMException.ABORT_ERR, Object.prototype.toString.call(error)] })()`,
	crypto: `(() => {
		const array = crypto.getRandomValues(new Uint32Array(8)); const bytes = crypto.getRandomValues(new Uint8Array(65536));
		const refused = [() => crypto.getRandomValues(new Uint8Array(65537)), () => crypto.getRandomValues(new Float32Array(1)), () => crypto.getRandomValues([])].map((call) => { try { call() } catch (error) { return error instanceof Error } });
		return [new Set(array).size > 1, new Set(bytes).size === 256, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()), crypto.randomUUID() !== crypto.randomUUID(), refused];
	})()`,
	performance: `[performance.now() >= 0, Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 30000]`,
	"names of classes and functions": `["AbortController", "AbortSignal", "Blob", "CustomEvent", "Event", "EventTarget", "File", "Headers", "Request", "Response", "TextDecoder", "TextEncoder", "URL", "URLSearchParams", "fetch", "setTimeout", "clearTimeout", "setInterval", "atob", "btoa", "structuredClone", "queueMicrotask"]
		.map((name) => { const value = globalThis[name]; return [value.name, Object.getOwnPropertyDescriptor(globalThis, name).configurable, value.prototype?.[Symbol.toStringTag]] })`,
};

const evaluateHere = async (expression: string): Promise<unknown> =>
	JSON.parse(JSON.stringify(await new Function(`return (async () => (${expression}))()`)()));

describeGuests(({ run, evaluate }) => {
	test.each(Object.entries(same))("%s behaves as in Node", async (_, expression) => {
		expect(await evaluate(`JSON.parse(JSON.stringify(await (${expression})))`)).toEqual(await evaluateHere(expression));
	});

	test("the time of performance begins with the run", async () => {
		expect(await evaluate("performance.now() < 30000")).toBe(true);
	});

	test("Math.random is seeded anew for every run, and is spread evenly", async () => {
		const source = "Array.from({ length: 4000 }, () => Math.random())";
		const [first, second] = [(await evaluate(source)) as number[], (await evaluate(source)) as number[]];
		expect(first).not.toEqual(second);
		expect(new Set([...first, ...second]).size).toBe(8000);
		expect(Math.min(...first)).toBeGreaterThanOrEqual(0);
		expect(Math.max(...first)).toBeLessThan(1);
		const mean = first.reduce((sum, value) => sum + value, 0) / first.length;
		// Four thousand draws: further from one half than 12 standard errors does not happen.
		expect(Math.abs(mean - 0.5)).toBeLessThan(0.055);
	});

	test("nothing of a run is in the next one: timers, counts, times, globals", async () => {
		await run(
			"setTimeout(() => {}, 1e6); console.count('c'); console.time('t'); console.group(); globalThis.left = 1; URL.prototype.left = 1; export default () => 1;",
		);
		const { value, stdout, stderr } = await run(
			"console.count('c'); console.timeEnd('t'); export default () => [typeof left, 'left' in URL.prototype, setTimeout(() => {}, 1)];",
		);
		expect(value).toEqual(["undefined", false, 1]);
		expect(stdout).toBe("c: 1\n");
		expect(stderr).toContain("No such label 't'");
	});

	describe("fetch", () => {
		test("reads and sends all kinds of bodies over real HTTP", async () => {
			const server = createServer((request, response) => {
				const chunks: Buffer[] = [];
				request.on("data", (chunk: Buffer) => chunks.push(chunk));
				request.on("end", () => {
					response.writeHead(request.url === "/missing" ? 404 : 200, { "content-type": "application/json", "x-a": "1" });
					response.end(
						JSON.stringify({
							method: request.method,
							type: request.headers["content-type"],
							body: Buffer.concat(chunks).toString("latin1"),
						}),
					);
				});
			});
			await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
			const { port } = server.address() as AddressInfo;
			const fetcher = createFetch({ allowedHosts: [`127.0.0.1:${port}`], limits: resolveLimits() });
			try {
				const value = await evaluate(
					`await (async () => {
						const at = "http://127.0.0.1:${port}";
						const first = await fetch(at + "/a?b#c");
						const sent = [];
						for (const body of ["é", new Uint8Array([0, 255]), new Blob(["b"], { type: "x/y" }), new URLSearchParams({ a: "1" })]) sent.push(await (await fetch(at, { method: "POST", body })).json());
						const missing = await fetch(new Request(at + "/missing", { method: "PUT", headers: { "content-type": "own" }, body: "t" }));
						const { code, message } = await fetch("http://example.com/").catch((error) => error);
						return [first.ok, first.status, first.url, first.headers.get("x-a"), (await first.json()).method, sent, missing.ok, missing.status, await missing.json(), code, message.includes("--allow-host example.com")];
					})()`,
					{ fetch: fetcher.fetch },
				);
				expect(value).toEqual([
					true,
					200,
					`http://127.0.0.1:${port}/a?b`,
					"1",
					"GET",
					[
						{ method: "POST", type: "text/plain;charset=UTF-8", body: "\u00c3\u00a9" },
						{ method: "POST", body: "\u0000\u00ff" },
						{ method: "POST", type: "x/y", body: "b" },
						{ method: "POST", type: "application/x-www-form-urlencoded;charset=UTF-8", body: "a=1" },
					],
					false,
					404,
					{ method: "PUT", type: "own", body: "t" },
					"denied",
					true,
				]);
			} finally {
				await fetcher.close();
				await new Promise((resolve) => server.close(resolve));
			}
		});

		test("is refused when the run was given no hosts", async () => {
			const { result } = await run("await fetch('https://example.com/x');");
			expect(result.failure).toMatchObject({ code: "script-error", name: "RuntimeError", errorCode: "denied" });
			expect(result.failure?.message).toContain("--allow-host example.com");
			expect(result.failure?.stack).toContain("script.js:1:");
		});

		test("an abort rejects with the signal's reason and reaches the host", async () => {
			const signals: AbortSignal[] = [];
			const value = await evaluate(
				`await (async () => {
					const controller = new AbortController();
					const pending = fetch("http://x/", { signal: controller.signal }).catch((error) => error.name);
					await new Promise((resolve) => setTimeout(resolve, 1));
					controller.abort();
					const early = await fetch("http://x/", { signal: AbortSignal.abort("early") }).catch((error) => error);
					const late = await fetch("http://x/", { signal: AbortSignal.timeout(1) }).catch((error) => error.name);
					return [await pending, early, late];
				})()`,
				{
					fetch: (_, signal) => {
						signals.push(signal);
						return new Promise((_, reject) =>
							signal.addEventListener("abort", () => reject(new RuntimeError("cancelled", "aborted"))),
						);
					},
				},
			);
			expect(value).toEqual(["AbortError", "early", "TimeoutError"]);
			expect(signals.map((signal) => signal.aborted)).toEqual([true, true]);
		});

		test("mistakes in a request reject with a TypeError and reach nobody", async () => {
			const value = await evaluate(
				"await Promise.all([fetch(), fetch('relative'), fetch('http://x', { method: 'a b' }), fetch('http://x', { headers: { 'a b': '1' } }), fetch('http://x', { body: 'x' }), fetch('http://u:p@x/')].map((pending) => pending.catch((error) => error.name)))",
				{ fetch: () => Promise.reject(new Error("must not be called")) },
			);
			expect(value).toEqual(new Array(6).fill("TypeError"));
		});
	});
});

test("the generated prelude is fresh, the same every time, and small", async () => {
	const { readFile } = await import("node:fs/promises");
	const { preludePath } = await import("../../host/sandbox/prelude/build.ts");
	const [first, second] = [await buildPrelude(), await buildPrelude()];
	expect(first).toBe(second);
	expect(await readFile(preludePath, "utf8")).toBe(first);
	expect(first.length).toBeLessThan(80_000);
});
