import type { FailureCode, FinalStatus, RunOptions } from "../../host/index.ts";
import { createRandom, type Random } from "./random.ts";

/** One run of the storm: a pure function of seed and number, so nothing but the two must be kept to check it later. */
export interface RandomRun {
	readonly kind: Kind;
	readonly options: Pick<RunOptions, "script" | "input" | "limits"> & { readonly namespace: string };
	/** How it may end. */
	readonly statuses: readonly FinalStatus[];
	/** The codes that its error may have, when it ends with one. */
	readonly codes: readonly FailureCode[];
	/** When it succeeds: its output as JSON text; undefined when that is not fixed. */
	readonly output?: string;
	/** The variable that only this run writes: 1, 2, 3, … each awaited and printed as `acknowledged n`. */
	readonly series: string;
	/** The last value of the series that the script gets to. */
	readonly writes: number;
	/** Milliseconds after which the caller cancels it. */
	readonly cancelAfterMs?: number;
}

/** The namespaces of the storm, and the counter in each that all its runs increment. */
export const namespaces = ["soak-0", "soak-1", "soak-2", "soak-3"] as const;
export const counter = "count";

type Kind = (typeof kinds)[number]["name"];

type Part = Pick<RandomRun, "statuses" | "codes" | "output" | "cancelAfterMs"> & {
	readonly source: string;
	readonly limits?: RunOptions["limits"];
};

interface Place {
	readonly series: string;
	readonly writes: number;
	/** Source that writes the series. */
	readonly write: string;
}

const succeeded = (source: string, output?: string): Part => ({
	source,
	statuses: ["succeeded"],
	codes: [],
	...(output !== undefined && { output }),
});
const failed = (code: FailureCode | readonly FailureCode[], source: string, limits?: RunOptions["limits"]): Part => ({
	source,
	statuses: ["failed"],
	codes: typeof code === "string" ? [code] : code,
	...(limits && { limits }),
});

/** What scripts do, and how often among 1,000. */
const kinds = [
	{
		name: "computes",
		weight: 560,
		make: (random: Random, { write }: Place): Part => {
			const factor = random.integer(1, 1_000);
			return succeeded(
				`${write}
				const { numbers } = await cronium.getInput();
				await cronium.getVariable("absent-" + numbers.length);
				await cronium.setOutput(null);
				export default () => numbers.reduce((sum, n) => sum + n * ${factor}, 0);`,
				String(6 * factor),
			);
		},
	},
	{
		name: "keeps values",
		weight: 70,
		make: (random: Random, { write, series }: Place): Part => {
			const size = random.pick([10, 1_000, 30_000, 200_000]);
			return succeeded(
				`import { setVariable, getVariableEntry, deleteVariable, listVariables } from "cronium";
				${write}
				const key = ${JSON.stringify(`${series} värde/${random.integer(0, 9)}`)};
				const version = await setVariable(key, { text: "ü".repeat(${size}) }, { ifAbsent: true });
				const entry = await getVariableEntry(key);
				const conflict = await setVariable(key, 0, { ifVersion: version + "0" }).then(() => "no error", ({ code }) => code);
				const { items } = await listVariables({ prefix: ${JSON.stringify(series)} });
				const deleted = await deleteVariable(key);
				export default () => [entry.value.text.length, entry.metadata.version === version, conflict, items.some((item) => item.key === key), deleted];`,
				`[${size},true,"conflict",true,true]`,
			);
		},
	},
	{
		name: "awaits nothing",
		weight: 80,
		make: (random: Random, { series }: Place): Part => {
			const calls = random.integer(1, 50);
			return succeeded(
				`for (let n = 1; n <= ${calls}; n++) {
					cronium.setVariable(${JSON.stringify(`${series}-loose`)}, n);
					cronium.incrementVariable("${counter}");
					cronium.getVariable("absent");
				}
				export default () => ${calls};`,
				String(calls),
			);
		},
	},
	{
		name: "throws",
		weight: 80,
		make: (random: Random, { write }: Place): Part =>
			failed(
				"script-error",
				`${write}\n${random.pick(["throw new TypeError('on purpose')", "throw 'text'", "await Promise.reject(null)", "null.x", "throw { get message() { throw 1; } }"])};`,
			),
	},
	{
		name: "does not parse",
		weight: 20,
		make: (random: Random, { write }: Place): Part =>
			failed("syntax-error", `${write}\n${random.pick(["let = ;", "export default (", "'", "await await", "{{{"])}`),
	},
	{
		name: "imports what is not there",
		weight: 15,
		make: (random: Random, { write }: Place): Part =>
			failed("import-error", `import x from "${random.pick(["node:fs", "./other.js", "left-pad"])}";\n${write}`),
	},
	{
		name: "never settles",
		weight: 25,
		make: (_: Random, { write }: Place): Part => failed("never-settled", `${write}\nawait new Promise(() => {});`),
	},
	{
		name: "waits",
		weight: 40,
		make: (random: Random, { write }: Place): Part =>
			succeeded(
				`${write}\nfor (let n = 0; n < 3; n++) await new Promise((done) => setTimeout(done, ${random.integer(0, 10)}));\nexport default () => "waited";`,
				'"waited"',
			),
	},
	{
		name: "loops",
		weight: 20,
		make: (random: Random, { write }: Place): Part => ({
			source: `${write}\n${random.pick(["for (;;) {}", "while (true) [].concat([1]);", "for (;;) await null;", "/(a+)+$/.test('a'.repeat(40) + 'b'); for (;;);"])}`,
			limits: random.chance(0.5) ? { maxWallTimeMs: random.integer(30, 90) } : { maxCpuTimeMs: random.integer(20, 60) },
			statuses: ["timed-out"],
			codes: ["wall-time-exceeded", "cpu-time-exceeded"],
		}),
	},
	{
		name: "is cancelled",
		weight: 30,
		make: (random: Random, { write }: Place): Part => ({
			source: `${write}\n${random.pick(["for (;;) {}", "for (;;) await new Promise((done) => setTimeout(done, 5));", "for (;;) await cronium.getVariable('absent');"])}`,
			limits: { maxHostCalls: 100_000_000 },
			statuses: ["cancelled"],
			codes: ["cancelled"],
			cancelAfterMs: random.integer(0, 60),
		}),
	},
	{
		name: "is stuck in a built-in function",
		weight: 8,
		make: (random: Random, { write }: Place): Part => ({
			source: `${write}\n${random.pick(["Array.prototype.reverse.call({ length: 2 ** 40 });", "Array.prototype.indexOf.call({ length: 2 ** 40 }, 1);", "'a'.repeat(2e6).indexOf('a'.repeat(1e6) + 'b'); for (;;);"])}`,
			statuses: ["cancelled"],
			codes: ["cancelled"],
			cancelAfterMs: random.integer(0, 60),
		}),
	},
	{
		name: "fills its memory",
		weight: 15,
		make: (random: Random, { write }: Place): Part =>
			failed(
				"memory-exceeded",
				`${write}\n${random.pick(["const all = []; for (;;) all.push({ all: [1, 2, 3] });", "const all = []; for (;;) all.push(new ArrayBuffer(100_000));", "const all = []; for (let s = 'x'; ; s = s + s + 'y') all.push(s.split('').join('-'));", "new Uint8Array(1e9);"])}`,
				{ maxMemoryBytes: random.integer(8, 24) * 1024 * 1024 },
			),
	},
	{
		name: "recurses",
		weight: 10,
		make: (random: Random, { write }: Place): Part =>
			failed(
				"stack-exceeded",
				`${write}\n${random.pick(["(function again() { again(); })();", "const again = () => [1].map(again); again();"])}`,
			),
	},
	{
		name: "calls too often",
		weight: 20,
		make: (_: Random, { write }: Place): Part =>
			failed("host-calls-exceeded", `${write}\nfor (;;) await cronium.getVariable("absent");`, { maxHostCalls: 60 }),
	},
	{
		name: "has too many calls under way",
		weight: 10,
		make: (_: Random, { series, write }: Place): Part =>
			failed(
				"pending-calls-exceeded",
				`${write}\nfor (let n = 1; n <= 400; n++) cronium.setVariable(${JSON.stringify(`${series}-loose`)}, n); await new Promise((done) => setTimeout(done, 1000));`,
				{ maxPendingCalls: 20 },
			),
	},
	{
		name: "returns what is not JSON",
		weight: 7,
		make: (random: Random, { write }: Place): Part =>
			failed(
				"invalid-output",
				`${write}\nexport default () => ${random.pick(["10n", "() => 1", "{ const a = []; a.push(a); return a; }", "Symbol('s')"])};`,
			),
	},
] as const satisfies readonly { name: string; weight: number; make: (random: Random, place: Place) => Part }[];

const totalWeight = kinds.reduce((sum, { weight }) => sum + weight, 0);

/** The run `number` of the storm with this seed. */
export function describeRandomRun(seed: number, number: number): RandomRun {
	const random = createRandom(seed, number);
	let ticket = random.integer(1, totalWeight);
	const kind = kinds.find(({ weight }) => {
		ticket -= weight;
		return ticket <= 0;
	}) as (typeof kinds)[number];
	const series = `series-${number}`;
	const writes = random.integer(0, 4);
	const write = [
		`for (let n = 1; n <= ${writes}; n++) {`,
		`	await cronium.setVariable("${series}", n);`,
		`	console.log("acknowledged " + n);`,
		`	if (n % 2 === 0) await cronium.incrementVariable("${counter}", n);`,
		"}",
	].join("\n");
	const { source, limits, ...rest } = kind.make(random, { series, writes, write });
	const typescript = random.chance(0.1);
	return {
		kind: kind.name,
		...rest,
		series,
		writes: source.includes(write) ? writes : 0,
		options: {
			script: {
				name: typescript ? `${kind.name.replaceAll(" ", "-")}.ts` : `${kind.name.replaceAll(" ", "-")}.js`,
				source: typescript ? `const typed: number = 1;\n${source}` : source,
			},
			input: '{"numbers":[1,2,3]}',
			namespace: namespaces[number % namespaces.length] as string,
			...(limits && { limits }),
		},
	};
}
