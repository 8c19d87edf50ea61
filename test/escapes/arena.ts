import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createHost, type Host, type JavaScriptEngine, type LimitName, type Outcome, type RunOptions } from "../../host/index.ts";

export const javascriptEngines: readonly JavaScriptEngine[] = ["quickjs-wasi", "quickjs-emscripten"];

/** One script that means harm, and what has to come of it. */
export interface Attack {
	readonly name: string;
	/** An ES module. */
	readonly script: string;
	readonly run?: Omit<RunOptions, "script">;
	readonly check: (outcome: Outcome, host: Host) => void | Promise<void>;
}

/** One worker, so that what an attack leaves behind meets the next run; limits short enough for a test. */
export const arenaLimits: Partial<Record<LimitName, number>> = {
	maxWorkers: 1,
	maxWallTimeMs: 8_000,
	maxMemoryBytes: 32 * 1024 * 1024,
};

/** Runs every attack on every engine, each followed by proof that the host took no harm. */
export function describeAttacks(attacks: readonly Attack[]): void {
	describe.each(javascriptEngines)("%s", (engine) => {
		const arena = useArena(engine);
		test.each(attacks)("$name", async ({ script, run, check }) => {
			const outcome = await arena.run(script, run);
			await check(outcome, arena.host);
		});
	});
}

export interface Arena {
	readonly host: Host;
	/** Runs a script, then requires that its outcome tells nothing of the host, and that the host is unharmed. */
	run(script: string, options?: Partial<RunOptions>): Promise<Outcome>;
}

export interface ArenaOptions {
	readonly limits?: Partial<Record<LimitName, number>>;
	/** Whether the realm of the run that follows is walked through, not only looked at. */
	readonly thorough?: boolean;
}

/** A host for the tests of one `describe`; after the last one nothing of it may be left. */
export function useArena(engine: JavaScriptEngine, { limits = {}, thorough = false }: ArenaOptions = {}): Arena {
	let host: Host | undefined;
	let baseline: unknown;
	let threads = 0;
	const resources = countResources();
	beforeAll(async () => {
		host = await createHost({ engine, limits: { ...arenaLimits, ...limits } });
		baseline = await inspect(host, thorough);
		// The process keeps one thread ready that reads TypeScript.
		await host.run({ script: { name: "warm.ts", source: "" } });
		threads = countThreads();
	});
	afterAll(async () => {
		await host?.dispose();
		// A terminated thread's handle goes a turn of the event loop later.
		await vi.waitFor(() => expect(countResources()).toEqual(resources), { timeout: 5_000 });
	});
	return {
		get host() {
			if (!host) throw new Error("The host is made in beforeAll.");
			return host;
		},
		async run(script, options = {}) {
			const outcome = await this.host.run({ script: { name: "attack.js", source: script }, ...options });
			requireNoDisclosure(outcome);
			requireCleanPrototypes();
			expect(await inspect(this.host, thorough)).toEqual(baseline);
			await expect.poll(countThreads, { timeout: 5_000 }).toBeLessThanOrEqual(threads);
			return outcome;
		},
	};
}

/**
 * Tells what a script finds in its realm, and uses every helper once: the same for every run of an unharmed host. The thorough form walks
 * to everything that can be reached, which takes a hundred times as long.
 */
const inspection = `
import * as cronium from "cronium";
const lines = [];
const look = (path, value) => { if ((typeof value === "object" || typeof value === "function") && value !== null) lines.push(path + ": " + Reflect.ownKeys(value).map(String).join()); };
const describe = (value) => {
	if (typeof value === "function") return "function " + value.name + "/" + value.length + "/" + Function.prototype.toString.call(value).length;
	return typeof value === "object" && value !== null ? "object" : typeof value + " " + String(value);
};
const seen = new Set();
const walk = (path, value) => {
	if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
	seen.add(value);
	for (const key of Reflect.ownKeys(value)) {
		const { value: inner, get, set, writable, enumerable, configurable } = Reflect.getOwnPropertyDescriptor(value, key);
		const place = path + "." + String(key);
		lines.push(place + " " + describe(inner ?? get) + !!writable + enumerable + configurable);
		walk(place, inner);
		walk(place + "<get>", get);
		walk(place + "<set>", set);
	}
	walk(path + ".[[prototype]]", Object.getPrototypeOf(value));
};
export default async function (input) {
	if (input.thorough) { walk("globalThis", globalThis); walk("cronium", { ...cronium }); }
	look("globalThis", globalThis);
	for (const name of Reflect.ownKeys(globalThis)) { look(String(name), globalThis[name]); look(String(name) + ".prototype", globalThis[name]?.prototype); }
	const inherited = [];
	for (const key in {}) inherited.push(key);
	for (const key in []) inherited.push(key);
	await cronium.setVariable("inspection", { input });
	await cronium.setCondition(true);
	const entry = await cronium.getVariableEntry("inspection");
	const deleted = await cronium.deleteVariable("inspection");
	const failure = await cronium.getVariable("").catch((error) => [error instanceof Error, error.name, error.code]);
	await new Promise((resolve) => setTimeout(resolve, 1));
	console.log("inspected", [1, { a: null }]);
	return {
		lines, inherited, failure, deleted, value: entry.value, condition: await cronium.getCondition(), input: await cronium.getInput(),
		missing: await cronium.getVariable("missing"), own: globalThis.Object === ({}).constructor,
	};
}`;

async function inspect(host: Host, thorough: boolean): Promise<unknown> {
	const { status, output, condition, error, logs } = await host.run({
		script: { name: "inspection.js", source: inspection },
		input: `{"numbers":[1,2.5,-0.1],"text":"añ🙂","__proto__":{"x":1},"thorough":${thorough}}`,
		namespace: "inspection",
		limits: { maxWallTimeMs: 20_000 },
	});
	expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
	const lines = logs.map(({ sequence, source, message }) => ({ sequence, source, message }));
	expect(lines).toEqual([{ sequence: 1, source: "stdout", message: "inspected [ 1, { a: null } ]" }]);
	return { output, condition };
}

/** What must never be in anything a guest or a caller is shown of a run. */
const hostMarks = [
	process.cwd(),
	"/work",
	"node_modules",
	"file://",
	"node:internal",
	process.execPath,
	"worker.ts",
	"wasm-function",
];

/** Fails when the outcome shows a path or a stack of the host. Scripts that name such marks themselves must not put them out. */
export function requireNoDisclosure(outcome: Outcome): void {
	const text = JSON.stringify(outcome);
	for (const mark of hostMarks)
		if (text.includes(mark)) expect.fail(`The outcome shows ${JSON.stringify(mark)}: ${text.slice(0, 4_000)}`);
}

function requireCleanPrototypes(): void {
	const inherited: string[] = [];
	for (const key in {}) inherited.push(key);
	expect(inherited).toEqual([]);
	expect(Reflect.ownKeys(Object.prototype)).toEqual(objectPrototypeKeys);
	expect(Reflect.ownKeys(Array.prototype)).toEqual(arrayPrototypeKeys);
}
const objectPrototypeKeys = Reflect.ownKeys(Object.prototype);
const arrayPrototypeKeys = Reflect.ownKeys(Array.prototype);

/** Handles of this process that a host makes, by type. */
function countResources(): Record<string, number> {
	const counts: Record<string, number> = {};
	for (const type of process.getActiveResourcesInfo())
		if (/Worker|MessagePort|Pipe|TCP|FSEvent/.test(type)) counts[type] = (counts[type] ?? 0) + 1;
	return counts;
}

/** Threads of this process; 0 where the system does not say. */
function countThreads(): number {
	try {
		return readdirSync("/proc/self/task").length;
	} catch {
		return 0;
	}
}

/** The source of a guest function that goes through everything reachable from `roots` and names what is not of the guest's own realm. */
export const realmWalk = `
function findStrangers(roots) {
	const seen = new Set(), queue = [], strangers = [];
	const visit = (path, value) => {
		if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
		seen.add(value);
		queue.push([path, value]);
	};
	for (const [name, value] of Object.entries(roots)) visit(name, value);
	while (queue.length > 0) {
		const [path, value] = queue.pop();
		for (const key of Reflect.ownKeys(value)) {
			const descriptor = Reflect.getOwnPropertyDescriptor(value, key);
			visit(path + "." + String(key), descriptor.value);
			visit(path + "." + String(key) + "<get>", descriptor.get);
			visit(path + "." + String(key) + "<set>", descriptor.set);
		}
		let top = value;
		for (let next = value; next !== null; next = Object.getPrototypeOf(next)) visit(path + ".[[prototype]]", (top = next));
		if (top !== Object.prototype && top !== value) strangers.push(path + " has a foreign prototype");
		if (typeof value === "function" && !(value instanceof Function) && value !== Function.prototype) strangers.push(path + " is a foreign function");
		for (const code of ["return globalThis", "return this"]) {
			let realm;
			try { realm = value.constructor.constructor(code)(); } catch { continue; }
			if (realm !== globalThis && realm !== undefined && !(realm instanceof Object)) strangers.push(path + " leads to a foreign realm");
		}
	}
	return { strangers, visited: seen.size };
}`;
