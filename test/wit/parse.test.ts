import { describe, expect, it } from "vitest";
import { parseWit } from "../../wit/parse.ts";
import { WitError } from "../../wit/syntax.ts";

const header = "package a:b@1.0.0;\n";
const inInterface = (body: string) => `${header}interface i {\n${body}\n}`;

function problemOf(source: string): string {
	try {
		parseWit("x.wit", source);
	} catch (error) {
		expect(error).toBeInstanceOf(WitError);
		return (error as WitError).message;
	}
	throw new Error("It parsed.");
}

describe("the WIT parser", () => {
	it("reads packages, interfaces, types, functions and worlds with their documentation", () => {
		const file = parseWit(
			"x.wit",
			`// not documentation
/// The package.
package cronium:test@1.2.3-rc.1;

/// First line.
///
///   indented
interface things {
  use types.{json, key as name};
  /// An alias.
  type id = string;
  /** A block,
   * on two lines. */
  record point { /// Across.
    x: s32, y: option<list<u8>>, }
  enum colour { red, %type }
  flags rights { read, write }
  variant shape { none, circle(f64), named(name) }
  /// Moves.
  move: func(to: point, by: tuple<f32, f64>) -> result<_, colour>;
  %list: func();
  all: func() -> result<list<point>>;
}
world script { import things; export other; }
`,
		);
		expect(file.package).toMatchObject({ id: "cronium:test", version: "1.2.3-rc.1" });
		const [things] = file.interfaces;
		expect(things?.documentation).toBe("First line.\n\n  indented");
		expect(things?.uses.map(({ name, alias }) => [name, alias])).toEqual([
			["json", "json"],
			["key", "name"],
		]);
		expect(things?.definitions.map(({ kind, name, documentation }) => [kind, name, documentation])).toEqual([
			["alias", "id", "An alias."],
			["record", "point", "A block,\non two lines."],
			["enum", "colour", ""],
			["flags", "rights", ""],
			["variant", "shape", ""],
		]);
		expect(things?.definitions[1]).toMatchObject({
			fields: [
				{ name: "x", documentation: "Across.", type: { kind: "primitive", name: "s32" } },
				{ name: "y", type: { kind: "option", of: { kind: "list", of: { name: "u8" } } } },
			],
		});
		expect(things?.definitions[2]).toMatchObject({ cases: [{ name: "red" }, { name: "type" }] });
		expect(things?.definitions[4]).toMatchObject({
			cases: [{ type: undefined }, { type: { name: "f64" } }, { type: { kind: "name", name: "name" } }],
		});
		expect(things?.functions.map(({ name, documentation }) => [name, documentation])).toEqual([
			["move", "Moves."],
			["list", ""],
			["all", ""],
		]);
		expect(things?.functions[0]).toMatchObject({
			parameters: [{ name: "to" }, { type: { kind: "tuple", items: [{ name: "f32" }, { name: "f64" }] } }],
			result: { kind: "result", ok: undefined, error: { name: "colour" } },
		});
		expect(things?.functions[1]?.result).toBeUndefined();
		expect(file.worlds[0]).toMatchObject({ name: "script", imports: [{ name: "things" }], exports: [{ name: "other" }] });
	});

	it("skips nested block comments and text after // whatever it holds", () => {
		const file = parseWit("x.wit", `${header}/* a /* b */ c } */ interface i { // }\n}`);
		expect(file.interfaces.map(({ name }) => name)).toEqual(["i"]);
	});

	it.each([
		["an empty file", "", 'x.wit:1:1: expected "package", found the end of the file'],
		["a package without version", "package a:b;", 'x.wit:1:12: expected the version of the package, such as @1.0.0, found ";"'],
		["something else on the top level", `${header}type a = string;`, 'x.wit:2:1: expected "interface" or "world", found "type"'],
		["a missing semicolon", inInterface("  a: func()\n  b: func();"), 'x.wit:4:3: expected ";", found "b"'],
		["a keyword as a name", inInterface("  list: func();"), 'x.wit:3:3: expected a type, a function, "use" or "}", found "list"'],
		[
			"a keyword as a field",
			inInterface("  record r { type: string }"),
			'x.wit:3:14: expected the name of a field, found the keyword "type" (write %type to use it as a name)',
		],
		[
			"a name in camelCase",
			inInterface("  getInput: func();"),
			'x.wit:3:3: expected a name in kebab-case (such as "get-input"), found "getInput"',
		],
		["an unknown character", inInterface("  a: func() ☃"), 'x.wit:3:13: expected WIT, found "☃"'],
		["an empty record", inInterface("  record r {}"), 'x.wit:3:13: expected the name of a field, found "}"'],
		["a missing comma", inInterface("  enum e { a b }"), 'x.wit:3:14: expected "," or "}", found "b"'],
		["a resource", inInterface("  resource r;"), 'x.wit:3:3: expected a type, a function, "use" or "}", found "resource"'],
		[
			"a stream",
			inInterface("  a: func() -> stream<u8>;"),
			'x.wit:3:16: expected a type that this generator knows, found "stream"',
		],
		[
			"a feature gate",
			inInterface("  @unstable(feature = more)"),
			'x.wit:3:3: expected a type, a function, "use" or "}", found "@"',
		],
		["an option of nothing", inInterface("  a: func(b: option<>);"), 'x.wit:3:21: expected a type, found ">"'],
		[
			"an open interface",
			`${header}interface i {`,
			'x.wit:2:14: expected a type, a function, "use" or "}", found the end of the file',
		],
		["an open comment", `${header}/* …`, 'x.wit:2:1: expected "*/" at the end of this comment'],
		[
			"documentation of nothing",
			inInterface("  a: func();\n  /// Lost."),
			"x.wit:5:1: expected an item behind the doc comment that ends here",
		],
		[
			"documentation inside a function",
			inInterface("  a: func(\n/// Lost.\nb: string);"),
			"x.wit:5:1: expected an item behind the doc comment that ends here",
		],
	])("refuses %s, with its place and what was expected", (_, source, message) => {
		expect(problemOf(source)).toBe(message);
	});
});
