import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { javascriptEngines, useArena } from "./arena.ts";

// Every host here has one worker, so each run gets what the run before it left behind, if anything.
describe.each(javascriptEngines)("the next run in the same worker, %s", (engine) => {
	const arena = useArena(engine, { thorough: true });

	/** Runs a script that has to succeed, with nothing between it and the next; its output. */
	async function run(source: string, namespace = "recycling"): Promise<unknown> {
		const { status, error, output } = await arena.host.run({ script: { name: "recycling.js", source }, namespace });
		expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
		return output;
	}

	test("gets none of 50 answers that the run before it did not wait for", async () => {
		await Promise.all(
			Array.from({ length: 50 }, (_, i) => arena.host.variables("first").set(`k${i}`, JSON.stringify(`first ${i}`))),
		);
		await Promise.all(
			Array.from({ length: 50 }, (_, i) => arena.host.variables("second").set(`k${i}`, JSON.stringify(`second ${i}`))),
		);
		for (let round = 0; round < 3; round++) {
			await arena.host.run({
				script: {
					name: "first.js",
					source: `globalThis.got = []; export default () => { for (let i = 0; i < 50; i++) cronium.getVariable("k" + i).then((value) => { got.push(value); console.log(value); }); };`,
				},
				namespace: "first",
			});
			const outcome = await arena.host.run({
				script: {
					name: "second.js",
					source: `export default async function () {
						const values = [];
						for (let i = 0; i < 50; i++) values.push(await cronium.getVariable("k" + i));
						const parallel = await Promise.all(values.map((_, i) => cronium.getVariable("k" + i)));
						await new Promise((resolve) => setTimeout(resolve, 20));
						return { values, parallel, got: typeof globalThis.got };
					}`,
				},
				namespace: "second",
			});
			const values = Array.from({ length: 50 }, (_, i) => `second ${i}`);
			expect(outcome.output).toEqual({ values, parallel: values, got: "undefined" });
			expect(outcome.logs).toEqual([]);
		}
	});

	test("gets none of 50 answers to writes that the run before it did not wait for, and none of them takes effect after the end", async () => {
		for (let round = 0; round < 3; round++) {
			await arena.host.run({
				script: {
					name: "first.js",
					source: `export default () => { for (let i = 0; i < 50; i++) cronium.setVariable("unawaited" + i, ${round}).then(console.log, console.log); };`,
				},
				namespace: "writes",
			});
			const after = await arena.host.variables("writes").list({ prefix: "unawaited" });
			const outcome = await arena.host.run({
				script: {
					name: "second.js",
					source: `export default async () => { const versions = []; for (let i = 0; i < 50; i++) versions.push(await cronium.setVariable("own" + i, i)); await new Promise((resolve) => setTimeout(resolve, 20)); return versions; };`,
				},
				namespace: "other-writes",
			});
			expect(new Set(outcome.output as string[]).size).toBe(50);
			expect(outcome.logs).toEqual([]);
			// Whatever was written before the end is there; the rest never comes.
			expect(await arena.host.variables("writes").list({ prefix: "unawaited" })).toEqual(after);
		}
	});

	test("meets no timer, interval, microtask or abort listener of the run before it", async () => {
		await run(`export default () => {
			setTimeout(() => { cronium.setVariable("late", 1); console.log("late timer"); }, 5);
			setInterval(() => { cronium.incrementVariable("late"); console.log("late interval"); }, 1);
			const forever = () => Promise.resolve().then(() => new Promise((resolve) => setTimeout(resolve, 1))).then(forever); forever();
			AbortSignal.timeout?.(2).addEventListener("abort", () => console.log("late abort"));
			queueMicrotask(() => setTimeout(() => cronium.setOutput("late"), 1));
			return "in time";
		}`);
		const outcome = await arena.host.run({
			script: { name: "b.js", source: `export default () => new Promise((resolve) => setTimeout(() => resolve("own"), 40));` },
			namespace: "recycling",
		});
		expect(outcome).toMatchObject({ status: "succeeded", output: "own", logs: [] });
		expect(await arena.host.variables("recycling").get("late")).toBeUndefined();
	});

	test("finds no global, no patched built-in, no symbol and no changed module of the run before it", async () => {
		await run(`
			globalThis.left = "behind"; var alsoLeft = 1; (0, eval)("var evalLeft = 1; let lexicalLeft = 2; function functionLeft() {}");
			Object.prototype.polluted = 1; Array.prototype.map = () => ["hijacked"]; JSON.stringify = () => '"hijacked"'; Promise.prototype.then = function () { return this; };
			console.log = () => {}; Reflect.set(globalThis, "cronium", { getInput: () => "hijacked" }); Math.random = () => 0.5; Date.now = () => 0; Object.freeze(Array.prototype);
			globalThis[Symbol.for("left")] = 1; Error.stackTraceLimit = 0; Error.prepareStackTrace = () => "hijacked"; RegExp.prototype.exec = () => null; delete globalThis.URL;
			/(le)(ft)/.exec("left");
			export default () => {};`);
		const found =
			await run(`const names = ["left", "alsoLeft", "evalLeft", "functionLeft", "polluted"].filter((name) => name in globalThis);
			let lexical; try { lexical = (0, eval)("lexicalLeft"); } catch (error) { lexical = error.name; }
			export default async () => ({ names, lexical, symbol: Symbol.for("left") in globalThis, map: [1].map((x) => x + 1), text: JSON.stringify({}), random: Math.random() === 0.5, now: Date.now() > 1e12, url: typeof URL,
				frozen: Object.isFrozen(Array.prototype), stack: typeof new Error("x").stack, input: await cronium.getInput(), regexp: /a/.test("a"), last: RegExp.$1 ?? "" });`);
		expect(found).toEqual({
			names: [],
			lexical: "ReferenceError",
			symbol: false,
			map: [2],
			text: "{}",
			random: false,
			now: true,
			url: "function",
			frozen: false,
			stack: "string",
			input: null,
			regexp: true,
			last: "",
		});
	});

	test("finds no secret of the run before it in fresh memory of any kind", async () => {
		const scrape = `
			const codes = [116, 102, 100, 115, 102, 117].map((code) => code - 1); // The word itself must be in no memory of this run.
			const search = (bytes) => { let found = 0; for (let i = bytes.indexOf(codes[0]); i >= 0; i = bytes.indexOf(codes[0], i + 1)) { let j = 1; while (j < 6 && bytes[i + j] === codes[j]) j++; let k = 1; while (k < 6 && bytes[i + k * 2] === codes[k]) k++; if (j === 6 || k === 6) found++; } return found; };
			export default () => {
				let found = 0, searched = 0;
				const look = (buffer) => { const bytes = new Uint8Array(buffer); searched += bytes.length; found += search(bytes); };
				for (const size of [64, 256, 1_024, 16_384, 262_144]) for (let i = 0; i < 12; i++) {
					look(new ArrayBuffer(size));
					try { const grown = new ArrayBuffer(8, { maxByteLength: size }); grown.resize(size); look(grown); } catch {}
					try { look(new ArrayBuffer(8).transfer(size)); } catch {}
					try { const shared = new SharedArrayBuffer(8, { maxByteLength: size }); shared.grow(size); look(shared); } catch {}
					look(new Uint8Array(new Array(size >> 4)).buffer);
				}
				return { found, searched: searched > 1_000_000 };
			};`;
		const secret = `const secret = "secret-" + [..."7d1f0c"].join(""); const litter = [];
			export default async () => { for (let i = 0; i < 2_000; i++) litter.push((secret + i).repeat(20), new TextEncoder().encode(secret + i), { [secret + i]: secret }); await cronium.setVariable("secret", secret); globalThis.litter = litter; };`;
		await run(secret, "owner");
		expect(await run(scrape, "scraper")).toEqual({ found: 0, searched: true });
		// The search finds what is there: without this the test could not fail.
		expect(
			await run(
				`${scrape.replace("export default", "const scrape =")} export default () => { const b = Uint8Array.of(120, ...codes, 120); return search(b); }`,
			),
		).toBe(1);
	});

	test("has random numbers, UUIDs and bytes of its own", async () => {
		const draw = `export default () => ({ numbers: Array.from({ length: 20 }, Math.random), uuids: Array.from({ length: 5 }, () => crypto.randomUUID()), bytes: [...crypto.getRandomValues(new Uint8Array(16))].join(), hashed: new Map([[{}, 1]]).size })`;
		const draws = [];
		for (let i = 0; i < 6; i++) draws.push((await run(draw)) as { numbers: number[]; uuids: string[]; bytes: string });
		const all = <T>(values: readonly T[]): void => expect(new Set(values).size).toBe(values.length);
		all(draws.flatMap(({ numbers }) => numbers));
		all(draws.flatMap(({ uuids }) => uuids));
		all(draws.map(({ bytes }) => bytes));
		for (const { uuids } of draws)
			for (const uuid of uuids) expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
	});

	test("has the time of day, not the time of the memory image", async () => {
		for (let i = 0; i < 2; i++) {
			const before = Date.now();
			const [now, since] = (await run("export default () => [Date.now(), new Date().getTime() - Date.now()]")) as [
				number,
				number,
			];
			expect(now).toBeGreaterThanOrEqual(before - 5);
			expect(now).toBeLessThanOrEqual(Date.now() + 5);
			expect(Math.abs(since)).toBeLessThanOrEqual(5_000);
			await delay(20);
		}
	});

	test("hears nothing from finalizers and weak references of the run before it", async () => {
		await run(`export default () => {
			globalThis.registry = new FinalizationRegistry((held) => { cronium.setVariable("finalized", held); console.log("finalized", held); });
			globalThis.kept = []; for (let i = 0; i < 5_000; i++) { kept.push({ i, big: "x".repeat(100) }); registry.register(kept[i], i); }
			globalThis.reference = new WeakRef(kept[0]);
			return reference.deref()?.i;
		}`);
		const outcome = await arena.host.run({
			script: {
				name: "b.js",
				source: `export default () => { let litter = []; for (let i = 0; i < 50_000; i++) litter = [{ litter }]; litter = null; return new Promise((resolve) => setTimeout(() => resolve([typeof registry, typeof reference]), 10)); }`,
			},
			namespace: "recycling",
		});
		expect(outcome).toMatchObject({ status: "succeeded", output: ["undefined", "undefined"], logs: [] });
		expect(await arena.host.variables("recycling").get("finalized")).toBeUndefined();
	});

	test.each([
		["loops until its deadline", "for (;;);", { maxWallTimeMs: 200 }],
		["runs out of memory", "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1));", {}],
		["runs out of stack", "(function down() { down(); })();", {}],
		[
			"throws inside toJSON of a helper's argument",
			"await cronium.setVariable('k', { toJSON() { throw new Error('midway'); } });",
			{},
		],
		[
			"runs out of stack inside toJSON of a helper's argument",
			"await cronium.setVariable('k', { toJSON() { return (function down() { return [down()]; })(); } });",
			{},
		],
		[
			"is stopped inside toJSON of a helper's argument",
			"await cronium.setVariable('k', { toJSON() { for (;;); } });",
			{ maxWallTimeMs: 200 },
		],
		["is stopped inside toJSON of its output", "export default () => ({ toJSON() { for (;;); } });", { maxWallTimeMs: 200 }],
		[
			"is stopped in an instruction that cannot be interrupted",
			"Array(1e8).join('x'.repeat(10)); export {};",
			{ maxWallTimeMs: 200 },
		],
		[
			"is stopped while 100 calls wait",
			"for (let i = 0; i < 100; i++) cronium.setVariable('k' + i, i); for (;;);",
			{ maxWallTimeMs: 200 },
		],
		[
			"is stopped while it formats what it prints",
			"console.log({ get a() { for (;;); }, [Symbol.for('nodejs.util.inspect.custom')]() { for (;;); }, toString() { for (;;); } }); for (;;);",
			{ maxWallTimeMs: 200 },
		],
		["exceeds its host calls", "for (let i = 0; i < 100; i++) await cronium.getInput();", { maxHostCalls: 50 }],
	] as const)("is unharmed when the run before it %s", async (_, source, limits) => {
		// arena.run inspects the whole realm in the run that follows.
		const outcome = await arena.run(source, { limits, namespace: "harmed" });
		expect(outcome.status).not.toBe("succeeded");
		expect(outcome.error?.code).not.toBe("internal");
	});

	test("can be given an engine of its own beside the worker's", async () => {
		for (const other of javascriptEngines) {
			const outcome = await arena.host.run({
				script: { name: "x.js", source: "globalThis.left ??= 0; export default () => left++" },
				engine: other,
			});
			expect(outcome).toMatchObject({ status: "succeeded", output: 0 });
		}
	});
});
