import fc from "fast-check";
import { scopes } from "../../../host/contract/generated/types.ts";
import type { Reference } from "./random-request.ts";

const reference = (name: Reference["reference"]): fc.Arbitrary<Reference> => fc.constant({ reference: name });

const script = fc.record({
	name: fc.constantFrom("a.js", "b.ts"),
	source: fc.constantFrom(
		"export default (n) => n",
		"export default () => { throw new Error('no') }",
		"export default (",
		"while (true);",
	),
});
const terms = {
	input: fc.jsonValue({ maxDepth: 2 }),
	namespace: fc.constantFrom("fuzz", "fuzz-other"),
	event: fc.constantFrom<unknown>({}, { id: "e", name: "n", successCount: 1 }),
	variables: fc.constantFrom<unknown>({}, { a: 1, b: { c: [] } }),
	scopes: fc.subarray([...scopes]),
	limits: fc.constantFrom<unknown>({}, { maxWallTimeMs: 100, maxCpuTimeMs: 50 }),
};

/** Values by the name of their member or parameter, and bodies by that of their operation, where a schema alone would make few that do anything. */
export const knownValues: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
	key: fc.constantFrom("a", "b", "n", "a/b", "é", "k".repeat(255)),
	id: fc.oneof({ weight: 4, arbitrary: reference("run") }, { weight: 1, arbitrary: reference("ended-run") }),
	before: reference("ended-run"),
	token: reference("token-id"),
	bundle: reference("bundle"),
	cursor: reference("cursor"),
	prefix: fc.constantFrom("", "a", "k"),
	"If-Match": reference("version"),
	"If-None-Match": fc.oneof(fc.constant("*"), reference("version")),
	"Idempotency-Key": fc.constantFrom("one", "two", "three", "k".repeat(255)),
	"idempotency-key": fc.integer({ min: 0, max: 1_000 }).map((number) => `start-${number}`),
	// No request waits longer than this for the end of a run.
	waitMs: fc.constantFrom(0, 1, 20),
	traceparent: fc.constantFrom(`00-${"a".repeat(32)}-${"b".repeat(16)}-01`, "00-abc"),
	script,
	source: fc.constantFrom("export default (n) => n", "export default ("),
	...terms,
	allowedHosts: fc.constantFrom<unknown>([], ["a.example"]),
	startRun: fc.oneof(
		fc.record({ mode: fc.constant("external"), ...terms }, { requiredKeys: ["mode"] }),
		fc.record({ script, ...terms }, { requiredKeys: ["script"] }),
	),
	engine: fc.constant("quickjs-wasi"),
	lifetimeMs: fc.constantFrom(1_000, 60_000),
	certificateThumbprint: fc.constant("A".repeat(43)),
};
