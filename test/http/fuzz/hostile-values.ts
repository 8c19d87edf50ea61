import fc from "fast-check";
import type { Schema } from "./described-operations.ts";

/** Texts that have gone wrong somewhere before. */
const hostileTexts = [
	"",
	" ",
	".",
	"..",
	"../../../etc/passwd",
	"..\\..\\x",
	"%2e%2e%2f",
	"%00",
	"a\0b",
	"a\r\nSet-Cookie: b=c",
	"\u202e\u2028\ufeff",
	"\ud83d\ude00".repeat(64),
	"\ufffd",
	"__proto__",
	"constructor",
	"toString",
	"NaN",
	"null",
	"undefined",
	"true",
	"0",
	"-1",
	"1e999",
	"' OR 1=1 --",
	"{{7*7}}",
	"$(id)`id`|id;id",
	"<script>",
	"file:///etc/passwd",
	"k".repeat(255),
	"k".repeat(256),
	"k".repeat(5_000),
];

export const hostileText: fc.Arbitrary<string> = fc.oneof(
	fc.constantFrom(...hostileTexts),
	fc.string({ unit: "binary", maxLength: 40 }),
	fc.string({ unit: "grapheme", maxLength: 300 }),
);

const numbers = [0, -0, 1, -1, 0.1, 1e-7, 1e21, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 2 ** 63, 1e308, 8.64e15, 8.64e15 + 1];

/** Any JSON value, most of them small. */
export const anyValue: fc.Arbitrary<unknown> = fc.oneof(
	fc.constantFrom<unknown>(null, true, false, "", [], {}),
	fc.constantFrom(...numbers),
	hostileText,
	fc.jsonValue({ maxDepth: 3 }),
);

export interface ValueSources {
	/** Follows the references of the document. */
	readonly resolve: (schema: Schema) => Schema;
	/** Values for members and parameters that have to be good for a call to do something. */
	readonly known: Readonly<Record<string, fc.Arbitrary<unknown>>>;
}

/** Values that a schema allows. */
export function goodValue(given: Schema, sources: ValueSources, name = ""): fc.Arbitrary<unknown> {
	const known = sources.known[name];
	if (known) return known;
	const schema = sources.resolve(given);
	if (schema.const !== undefined) return fc.constant(schema.const);
	if (schema.enum) return fc.constantFrom(...schema.enum);
	const choices = schema.anyOf ?? schema.oneOf;
	if (choices) return fc.oneof(...choices.map((choice) => goodValue(choice, sources)));
	if (typeof schema.type === "object") return fc.oneof(...schema.type.map((type) => goodValue({ ...schema, type }, sources)));
	switch (schema.type) {
		case "boolean":
			return fc.boolean();
		case "null":
			return fc.constant(null);
		case "integer":
			return fc.oneof(
				fc.constantFrom(schema.minimum ?? 0, Math.min(schema.maximum ?? 100, 100)),
				fc.integer({ min: schema.minimum ?? 0, max: Math.min(schema.maximum ?? 1_000, 1_000) }),
			);
		case "number":
			return fc.constantFrom(1, -1, 0.5, 1e6);
		case "string":
			return fc.string({ minLength: 1, maxLength: Math.min(schema.maxLength ?? 20, 20) });
		case "array":
			return fc.array(goodValue(schema.items ?? {}, sources), { maxLength: 3 });
		case "object":
			return goodObject(schema, (member, memberName) => goodValue(member, sources, memberName));
		default:
			return anyValue;
	}
}

/** Values that a schema nearly allows: a member too many or too few, another type, a number over its edge. */
export function nearValue(given: Schema, sources: ValueSources, name = ""): fc.Arbitrary<unknown> {
	const schema = sources.resolve(given);
	const good = goodValue(schema, sources, name);
	const wrong: fc.Arbitrary<unknown>[] = [anyValue];
	if (schema.minimum !== undefined) wrong.push(fc.constant(schema.minimum - 1));
	if (schema.maximum !== undefined) wrong.push(fc.constantFrom(schema.maximum, schema.maximum + 1));
	if (schema.maxLength !== undefined) wrong.push(fc.constantFrom("m".repeat(schema.maxLength), "m".repeat(schema.maxLength + 1)));
	if (schema.type === "array") wrong.push(fc.array(nearValue(schema.items ?? {}, sources), { maxLength: 5 }));
	if (schema.type === "object") {
		const near = goodObject(schema, (member, memberName) =>
			fc.oneof(
				{ weight: 4, arbitrary: goodValue(member, sources, memberName) },
				{ weight: 1, arbitrary: nearValue(member, sources) },
			),
		);
		wrong.push(
			near,
			fc
				.tuple(near, hostileText, anyValue)
				.map(([object, member, value]) => Object.fromEntries([...Object.entries(object), [member, value]])),
			near.map((object) => Object.fromEntries(Object.entries(object).slice(1))),
		);
	}
	return fc.oneof({ weight: wrong.length, arbitrary: good }, ...wrong.map((arbitrary) => ({ weight: 1, arbitrary })));
}

function goodObject(
	{ properties = {}, required = [] }: Schema,
	member: (schema: Schema, name: string) => fc.Arbitrary<unknown>,
): fc.Arbitrary<Record<string, unknown>> {
	const record = Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, member(schema, name)]));
	return fc.record(record, { requiredKeys: [...required] }) as fc.Arbitrary<Record<string, unknown>>;
}
