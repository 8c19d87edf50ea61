import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readContract } from "../../wit/contract.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "cronium-wit-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const header = "package a:b@1.0.0;\n";
const types = `/// Types.
interface types {
  /// A JSON text.
  type json = string;
  /// What happened.
  record problem { /// In words.
    message: string }
  /// Errors.
  variant error { /// Denied.
    denied(problem), /// Malformed.
    invalid(problem) }
}
`;
const world = "/// All.\nworld script { import types; import things; }\n";

function read(things: string, others: Readonly<Record<string, string>> = {}) {
	const files = { types, world, things: `/// Things.\ninterface things {\nuse types.{json, error};\n${things}\n}\n`, ...others };
	for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, `${name}.wit`), header + text);
	return readContract(directory);
}

const documented = "/// Does it.\n///\n/// Errors: `denied`, or `nonsense`.\n";

describe("the contract", () => {
	it("looks up every name and knows what is a JSON text", () => {
		const contract = read(`/// A pair.
record pair { /// The value.
  value: json, /// Its size.
  size: option<u64> }
${documented}get: func(name: string, body: option<json>) -> result<option<pair>, error>;
/// Does it too.
///
/// Errors: as \`get\`; \`invalid\`.
put: func() -> result<_, error>;`);
		expect(contract.errors.map(({ name }) => name)).toEqual(["denied", "invalid"]);
		expect(contract.interfaces.map(({ name }) => name)).toEqual(["types", "things"]);
		const [get, put] = contract.interfaces[1]?.functions ?? [];
		expect(get).toMatchObject({ id: "things.get", resultKind: "entry", optionalResult: true, errors: ["denied"] });
		expect(get?.parameters.map(({ name, kind, required }) => [name, kind, required])).toEqual([
			["name", "plain", true],
			["body", "json", false],
		]);
		expect(put).toMatchObject({ resultKind: "none", result: undefined, errors: ["denied", "invalid"] });
	});

	it("gives every function the errors that the variant names for all", () => {
		const common = types.replace("/// Errors.\n", "/// Errors.\n  ///\n  /// Errors: `invalid` always, and `nonsense`.\n");
		const contract = read(`${documented}get: func() -> result<_, error>;`, { types: common });
		expect(contract.interfaces[1]?.functions[0]?.errors).toEqual(["denied", "invalid"]);
	});

	it.each([
		[
			"an unknown type",
			`${documented}a: func(b: nothing) -> result<_, error>;`,
			"wit/things.wit:8:12: there is no type nothing in the interface things",
		],
		["an unknown type in use", "use types.{nothing};", "wit/things.wit:5:12: the interface types has no type nothing"],
		["an unknown interface in use", "use nowhere.{a};", "wit/things.wit:5:14: there is no interface nowhere in the package"],
		[
			"a type that contains itself",
			"/// A.\nrecord a { /// B.\n b: option<a> }",
			"wit/things.wit:6:8: the type things.a contains itself",
		],
		[
			"two items of one name",
			"/// A.\ntype a = string;\n/// A.\ntype a = string;",
			"wit/things.wit:8:6: a is defined twice in the interface things",
		],
		["a field twice", "/// A.\nrecord a { /// B.\n b: u8, /// B.\n b: u8 }", "wit/things.wit:8:2: a has b twice"],
		[
			"a type called as one of another interface",
			"/// A.\ntype problem = string;",
			"wit/things.wit:6:6: the types types.problem and things.problem are both called Problem",
		],
		[
			"a function without documentation",
			"a: func() -> result<_, error>;",
			"wit/things.wit:5:1: expected a doc comment (///) before the function things.a",
		],
		[
			"a field without documentation",
			"/// A.\nrecord a { b: u8 }",
			"wit/things.wit:6:12: expected a doc comment (///) before the field a.b",
		],
		[
			"a function that does not say its errors",
			"/// A.\na: func() -> result<_, error>;",
			'wit/things.wit:6:1: expected a paragraph "Errors:" in the documentation of a',
		],
		[
			"errors that refer to themselves",
			"/// A.\n///\n/// Errors: as `a`.\na: func() -> result<_, error>;",
			'wit/things.wit:8:1: the errors of a refer to "a", which says nothing',
		],
		[
			"a function that cannot fail",
			`${documented}a: func() -> string;`,
			"wit/things.wit:8:14: expected things.a to return result<…, error>",
		],
		[
			"two JSON texts",
			`${documented}a: func(b: json, c: json) -> result<_, error>;`,
			"wit/things.wit:8:1: things.a takes two JSON texts; the guest protocol carries one",
		],
		[
			"a list of JSON texts as a parameter",
			`${documented}a: func(b: list<json>) -> result<_, error>;`,
			"wit/things.wit:8:9: a JSON text inside a parameter has no form in the guest protocol",
		],
		[
			"a list of JSON texts as a result",
			`${documented}a: func() -> result<list<json>, error>;`,
			"wit/things.wit:8:1: a JSON text may be the result or a required field of it, no deeper",
		],
		["flags", "/// A.\nflags a { b }", "wit/things.wit:6:7: a flags (other than types.error) has no form in JSON yet"],
	])("refuses %s", (_, things, message) => {
		expect(() => read(things)).toThrow(message);
	});

	it("refuses an interface that the world does not import, and an import that is not there", () => {
		expect(() => read("", { more: "/// More.\ninterface more {}\n" })).toThrow(
			"wit/more.wit:3:11: the world script does not import the interface more",
		);
		expect(() => read("", { more: "", world: world.replace("import types;", "import types; import more;") })).toThrow(
			"there is no interface more in the package",
		);
	});

	it("refuses files of another package, and a directory without any", () => {
		read("");
		writeFileSync(join(directory, "a.wit"), "package a:c@1.0.0;");
		expect(() => readContract(directory)).toThrow("wit/things.wit:1:1: expected the package a:c@1.0.0");
		const empty = join(directory, "empty");
		mkdirSync(empty);
		expect(() => readContract(empty)).toThrow(`There are no .wit files in ${empty}.`);
	});
});
