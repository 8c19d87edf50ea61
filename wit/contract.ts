import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pascalCase } from "./names.ts";
import { parseWit } from "./parse.ts";
import {
	type DefinitionSyntax,
	type FunctionSyntax,
	type InterfaceSyntax,
	type Position,
	type Primitive,
	type TypeSyntax,
	WitError,
} from "./syntax.ts";

// The contract as the emitters see it: every name looked up, and everything refused that they have no form for. What a
// flags type or a nested result looks like in JSON is decided by the change that brings the first one.

/** A type, looked up. */
export type Type =
	| { readonly kind: "primitive"; readonly name: Primitive }
	| { readonly kind: "named"; readonly definition: Definition }
	| { readonly kind: "option" | "list"; readonly of: Type };

interface Named {
	/** The WIT name. */
	readonly name: string;
	readonly documentation: string;
}

export interface Field extends Named {
	readonly type: Type;
	/** An `option`: the field may be left out. `type` is what is inside. */
	readonly optional: boolean;
}

interface Defined extends Named {
	/** The WIT name of the interface that defines it. */
	readonly interface: string;
	/** The name in TypeScript and in the schemas: `SetOptions`. */
	readonly typeName: string;
}
export interface Alias extends Defined {
	readonly kind: "alias";
	readonly type: Type;
}
export interface Enumeration extends Defined {
	readonly kind: "enum";
	readonly cases: readonly Named[];
}
export interface Structure extends Defined {
	readonly kind: "record";
	readonly fields: readonly Field[];
}
export type Definition = Alias | Enumeration | Structure;

export interface ContractParameter {
	/** The WIT name. */
	readonly name: string;
	/** An `option` is not required; `type` is what is inside. */
	readonly required: boolean;
	readonly type: Type;
	/** `json`: a JSON text that stands for itself. */
	readonly kind: "json" | "plain";
}

export interface ContractFunction extends Named {
	/** `variables.get-entry`. */
	readonly id: string;
	readonly interface: string;
	readonly position: Position;
	readonly parameters: readonly ContractParameter[];
	/** What it returns, without the `option` around it; undefined for nothing. */
	readonly result: Type | undefined;
	/** Whether the result may be none. */
	readonly optionalResult: boolean;
	/** `entry`: a record with a JSON text inside. */
	readonly resultKind: "none" | "json" | "plain" | "entry";
	/** The error codes that the paragraph "Errors:" of its documentation names, and that of the variant `error` for all functions. */
	readonly errors: readonly string[];
}

export interface ContractInterface extends Named {
	readonly definitions: readonly Definition[];
	readonly functions: readonly ContractFunction[];
}

export interface Contract {
	/** `cronium:runtime`. */
	readonly package: string;
	readonly version: string;
	readonly world: Named;
	/** In the order in which the world imports them. */
	readonly interfaces: readonly ContractInterface[];
	/** The cases of the variant `types.error`. */
	readonly errors: readonly Named[];
}

/** Whether a type is the alias `json` of the interface `types`. */
export function isJson(type: Type): boolean {
	return type.kind === "named" && type.definition.name === "json" && type.definition.interface === "types";
}

/** Reads every `*.wit` file of a directory: one package with one world. Throws a WitError at the first mistake. */
export function readContract(directory: string): Contract {
	const files = readdirSync(directory)
		.filter((file) => file.endsWith(".wit"))
		.sort()
		.map((file) => parseWit(`wit/${file}`, readFileSync(join(directory, file), "utf8")));
	const first = files[0];
	if (!first) throw new WitError(undefined, `There are no .wit files in ${directory}.`);
	for (const file of files)
		if (file.package.id !== first.package.id || file.package.version !== first.package.version)
			throw new WitError(file.package.position, `expected the package ${first.package.id}@${first.package.version}`);
	const worlds = files.flatMap((file) => file.worlds);
	const world = worlds[0];
	if (!world || worlds[1]) throw new WitError(worlds[1]?.position, "expected one world in the package");

	const syntax = new Map<string, InterfaceSyntax>();
	for (const one of files.flatMap((file) => file.interfaces)) {
		if (syntax.has(one.name)) throw new WitError(one.position, `the interface ${one.name} is defined twice`);
		syntax.set(one.name, one);
	}
	if (world.exports[0]) throw new WitError(world.exports[0].position, "a script exports no interface");
	const resolver = new Resolver(syntax);
	const interfaces = world.imports.map(({ name, position }) => resolver.interface(name, position));
	for (const one of syntax.values())
		if (!interfaces.some((imported) => imported.name === one.name))
			throw new WitError(one.position, `the world ${world.name} does not import the interface ${one.name}`);
	return {
		package: first.package.id,
		version: first.package.version,
		world: { name: world.name, documentation: world.documentation },
		interfaces,
		errors: resolver.errors,
	};
}

class Resolver {
	readonly #syntax: ReadonlyMap<string, InterfaceSyntax>;
	readonly #definitions = new Map<string, Definition>();
	/** Definitions being looked up: meeting one again is a cycle. */
	readonly #open = new Set<string>();
	/** Type names of all interfaces: they share one TypeScript module and one set of schemas. */
	readonly #typeNames = new Map<string, string>();

	constructor(syntax: ReadonlyMap<string, InterfaceSyntax>) {
		this.#syntax = syntax;
	}

	get errors(): readonly Named[] {
		const error = this.#syntax.get("types")?.definitions.find(({ name }) => name === "error");
		if (error?.kind !== "variant")
			throw new WitError(error?.position, "expected the variant error in the interface types: the closed set of errors");
		for (const one of error.cases)
			if (one.type?.kind !== "name" || one.type.name !== "problem")
				throw new WitError(one.position, `expected ${one.name}(problem): every error carries a problem`);
		return error.cases;
	}

	interface(name: string, position: Position): ContractInterface {
		const syntax = this.#syntax.get(name);
		if (!syntax) throw new WitError(position, `there is no interface ${name} in the package`);
		requireDocumentation(syntax, `the interface ${name}`);
		const seen = new Map<string, Position>();
		for (const item of [...syntax.definitions, ...syntax.functions]) {
			if (seen.has(item.name)) throw new WitError(item.position, `${item.name} is defined twice in the interface ${name}`);
			seen.set(item.name, item.position);
		}
		for (const use of syntax.uses) this.#requireUsed(use.interface, use.name, use.position);
		return {
			name,
			documentation: syntax.documentation,
			definitions: syntax.definitions
				.filter((definition) => !isErrorVariant(name, definition))
				.map((definition) => this.#define(syntax, definition)),
			functions: syntax.functions.map((one) => this.#function(syntax, one)),
		};
	}

	#requireUsed(from: string, name: string, position: Position): { syntax: InterfaceSyntax; definition: DefinitionSyntax } {
		const syntax = this.#syntax.get(from);
		if (!syntax) throw new WitError(position, `there is no interface ${from} in the package`);
		const definition = syntax.definitions.find((one) => one.name === name);
		if (!definition) throw new WitError(position, `the interface ${from} has no type ${name}`);
		return { syntax, definition };
	}

	#function(syntax: InterfaceSyntax, one: FunctionSyntax): ContractFunction {
		const id = `${syntax.name}.${one.name}`;
		requireDocumentation(one, `the function ${id}`);
		if (one.result?.kind !== "result" || !this.#isError(syntax, one.result.error))
			throw new WitError(one.result?.position ?? one.position, `expected ${id} to return result<…, error>`);
		const parameters = one.parameters.map((parameter): ContractParameter => {
			const whole = this.#type(syntax, parameter.type);
			const type = whole.kind === "option" ? whole.of : whole;
			if (type.kind === "option") throw new WitError(parameter.position, "an option in an option has no form in JSON");
			if (!isJson(type) && holdsJson(type))
				throw new WitError(parameter.position, "a JSON text inside a parameter has no form in the guest protocol");
			return { name: parameter.name, required: whole.kind !== "option", type, kind: isJson(type) ? "json" : "plain" };
		});
		const names = new Set<string>();
		for (const { name, position } of one.parameters) {
			if (names.has(name)) throw new WitError(position, `${id} has two parameters ${name}`);
			names.add(name);
		}
		if (parameters.filter(({ kind }) => kind === "json").length > 1)
			throw new WitError(one.position, `${id} takes two JSON texts; the guest protocol carries one`);
		const whole = one.result.ok && this.#type(syntax, one.result.ok);
		const result = whole?.kind === "option" ? whole.of : whole;
		if (result?.kind === "option") throw new WitError(one.result.position, "an option in an option has no form in JSON");
		return {
			id,
			interface: syntax.name,
			name: one.name,
			documentation: one.documentation,
			position: one.position,
			parameters,
			result,
			optionalResult: whole?.kind === "option",
			resultKind: result ? this.#resultKind(result, one.position) : "none",
			errors: this.#inOrder(new Set([...this.#commonErrors(), ...this.#errorCodes(syntax, one, [])])),
		};
	}

	#resultKind(result: Type, position: Position): ContractFunction["resultKind"] {
		if (isJson(result)) return "json";
		if (!holdsJson(result)) return "plain";
		const fields = result.kind === "named" && result.definition.kind === "record" ? result.definition.fields : [];
		if (fields.length === 0 || fields.some(({ type, optional }) => holdsJson(type) && (optional || !isJson(type))))
			throw new WitError(position, "a JSON text may be the result or a required field of it, no deeper");
		return "entry";
	}

	/** The codes of the paragraph "Errors:" of the variant `error`: those that every function can end with. */
	#commonErrors(): readonly string[] {
		const error = this.#syntax.get("types")?.definitions.find(({ name }) => name === "error");
		const words = [...(errorsParagraph(error?.documentation ?? "") ?? "").matchAll(/`([^`]+)`/g)].map(([, word]) => word);
		return this.errors.map(({ name }) => name).filter((code) => words.includes(code));
	}

	#inOrder(codes: ReadonlySet<string>): readonly string[] {
		return this.errors.map(({ name }) => name).filter((code) => codes.has(code));
	}

	/** The codes of the paragraph "Errors:"; "as `get`" stands for those of another function of the interface. */
	#errorCodes(syntax: InterfaceSyntax, one: FunctionSyntax, callers: readonly string[]): readonly string[] {
		const paragraph = errorsParagraph(one.documentation);
		if (paragraph === undefined)
			throw new WitError(one.position, `expected a paragraph "Errors:" in the documentation of ${one.name}`);
		const codes = new Set(this.errors.map(({ name }) => name));
		const found = new Set<string>();
		for (const [, reference, word] of paragraph.matchAll(/\bas `([^`]+)`|`([^`]+)`/g)) {
			const other = syntax.functions.find(({ name }) => name === reference);
			if (reference !== undefined && (!other || callers.includes(reference)))
				throw new WitError(one.position, `the errors of ${one.name} refer to "${reference}", which says nothing`);
			if (other) for (const code of this.#errorCodes(syntax, other, [...callers, one.name])) found.add(code);
			else if (word !== undefined && codes.has(word)) found.add(word);
		}
		return this.#inOrder(found);
	}

	#isError(syntax: InterfaceSyntax, type: TypeSyntax | undefined): boolean {
		if (type?.kind !== "name") return false;
		if (syntax.name === "types") return type.name === "error";
		return syntax.uses.some((use) => use.alias === type.name && use.interface === "types" && use.name === "error");
	}

	#type(syntax: InterfaceSyntax, type: TypeSyntax): Type {
		switch (type.kind) {
			case "primitive":
				if (type.name === "char") throw new WitError(type.position, "char has no form in JSON yet");
				return { kind: "primitive", name: type.name };
			case "option":
			case "list":
				return { kind: type.kind, of: this.#type(syntax, type.of) };
			case "tuple":
			case "result":
				throw new WitError(type.position, `a ${type.kind} has no form in JSON here yet`);
			case "name": {
				const use = syntax.uses.find(({ alias }) => alias === type.name);
				if (use) {
					const { syntax: owner, definition } = this.#requireUsed(use.interface, use.name, use.position);
					return { kind: "named", definition: this.#define(owner, definition) };
				}
				const definition = syntax.definitions.find(({ name }) => name === type.name);
				if (!definition) throw new WitError(type.position, `there is no type ${type.name} in the interface ${syntax.name}`);
				return { kind: "named", definition: this.#define(syntax, definition) };
			}
		}
	}

	#define(syntax: InterfaceSyntax, definition: DefinitionSyntax): Definition {
		const id = `${syntax.name}.${definition.name}`;
		const known = this.#definitions.get(id);
		if (known) return known;
		if (this.#open.has(id)) throw new WitError(definition.position, `the type ${id} contains itself`);
		const typeName = pascalCase(definition.name);
		const other = this.#typeNames.get(typeName);
		if (other !== undefined) throw new WitError(definition.position, `the types ${other} and ${id} are both called ${typeName}`);
		this.#typeNames.set(typeName, id);
		requireDocumentation(definition, `the type ${id}`);
		this.#open.add(id);
		const defined = {
			name: definition.name,
			documentation: definition.documentation,
			interface: syntax.name,
			typeName,
		};
		const made = this.#body(syntax, definition, defined);
		this.#open.delete(id);
		this.#definitions.set(id, made);
		return made;
	}

	#body(syntax: InterfaceSyntax, definition: DefinitionSyntax, defined: Defined): Definition {
		switch (definition.kind) {
			case "alias":
				return { kind: "alias", ...defined, type: this.#type(syntax, definition.type) };
			case "enum":
				requireDistinct(definition.cases, defined.name);
				for (const one of definition.cases) requireDocumentation(one, `the case ${defined.name}.${one.name}`);
				return { kind: "enum", ...defined, cases: definition.cases };
			case "record":
				requireDistinct(definition.fields, defined.name);
				return {
					kind: "record",
					...defined,
					fields: definition.fields.map((field): Field => {
						requireDocumentation(field, `the field ${defined.name}.${field.name}`);
						const whole = this.#type(syntax, field.type);
						const optional = whole.kind === "option";
						return { name: field.name, documentation: field.documentation, type: optional ? whole.of : whole, optional };
					}),
				};
			case "variant":
			case "flags":
				throw new WitError(definition.position, `a ${definition.kind} (other than types.error) has no form in JSON yet`);
		}
	}
}

function errorsParagraph(documentation: string): string | undefined {
	return documentation.split(/\n\s*\n/).find((text) => text.startsWith("Errors:"));
}

function holdsJson(type: Type): boolean {
	if (type.kind === "primitive") return false;
	if (type.kind !== "named") return holdsJson(type.of);
	if (isJson(type)) return true;
	const { definition } = type;
	if (definition.kind === "alias") return holdsJson(definition.type);
	return definition.kind === "record" && definition.fields.some((field) => holdsJson(field.type));
}

function isErrorVariant(interfaceName: string, definition: DefinitionSyntax): boolean {
	return interfaceName === "types" && definition.name === "error";
}

function requireDistinct(items: readonly { readonly name: string; readonly position: Position }[], owner: string): void {
	const names = new Set<string>();
	for (const { name, position } of items) {
		if (names.has(name)) throw new WitError(position, `${owner} has ${name} twice`);
		names.add(name);
	}
}

/** Everything public is documented where it is defined: types, schemas, the OpenAPI document and SDKs take it from there. */
function requireDocumentation(item: { readonly documentation: string; readonly position: Position }, what: string): void {
	if (item.documentation === "") throw new WitError(item.position, `expected a doc comment (///) before ${what}`);
}
