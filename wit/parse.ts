import {
	type DefinitionSyntax,
	type FieldSyntax,
	type FunctionSyntax,
	type InterfaceSyntax,
	type Position,
	type Primitive,
	primitives,
	type TypeSyntax,
	type UseSyntax,
	WitError,
	type WitSyntax,
	type WorldSyntax,
} from "./syntax.ts";
import { readTokens, type Token } from "./tokens.ts";

/** Words that are names only when written with `%`. */
const keywords = new Set([
	...["as", "async", "bool", "borrow", "char", "constructor", "enum", "export", "f32", "f64", "flags", "from", "func", "future"],
	...["import", "include", "interface", "list", "option", "own", "package", "record", "resource", "result", "s16", "s32", "s64"],
	...["s8", "static", "stream", "string", "tuple", "type", "u16", "u32", "u64", "u8", "use", "variant", "with", "world"],
]);

/**
 * Parses one WIT file of the subset that the contract uses: package, interface, world, use, type, record, enum, variant,
 * flags, func, and the types result, option, list, tuple and the primitive ones. Resources, futures, streams and
 * feature gates are refused by name. Throws a WitError with file, line, column and what was expected.
 */
export function parseWit(file: string, source: string): WitSyntax {
	return new Parser(readTokens(file, source)).file();
}

class Parser {
	readonly #tokens: readonly Token[];
	#at = 0;
	/** The token whose doc comment was taken by an item. */
	#documented: Token | undefined;

	constructor(tokens: readonly Token[]) {
		this.#tokens = tokens;
	}

	file(): WitSyntax {
		this.#documentation();
		const start = this.#keyword("package");
		const namespace = this.#name("the namespace of the package");
		this.#symbol(":");
		const name = this.#name("the name of the package");
		const version = this.#next();
		if (version.kind !== "version") throw expected("the version of the package, such as @1.0.0", version);
		this.#symbol(";");
		const interfaces: InterfaceSyntax[] = [];
		const worlds: WorldSyntax[] = [];
		while (this.#peek().kind !== "end") {
			const documentation = this.#documentation();
			if (this.#isKeyword("interface")) interfaces.push(this.#interface(documentation));
			else if (this.#isKeyword("world")) worlds.push(this.#world(documentation));
			else throw expected('"interface" or "world"', this.#peek());
		}
		this.#next();
		return {
			package: { id: `${namespace.text}:${name.text}`, version: version.text, position: start.position },
			interfaces,
			worlds,
		};
	}

	#interface(documentation: string): InterfaceSyntax {
		this.#keyword("interface");
		const { text: name, position } = this.#name("the name of the interface");
		const uses: UseSyntax[] = [];
		const definitions: DefinitionSyntax[] = [];
		const functions: FunctionSyntax[] = [];
		this.#symbol("{");
		while (!this.#isSymbol("}")) {
			const text = this.#documentation();
			if (this.#isKeyword("use")) uses.push(...this.#use());
			else if (["type", "record", "enum", "variant", "flags"].some((keyword) => this.#isKeyword(keyword)))
				definitions.push(this.#definition(text));
			else if (this.#isName()) functions.push(this.#function(text));
			else throw expected('a type, a function, "use" or "}"', this.#peek());
		}
		this.#symbol("}");
		return { name, documentation, position, uses, definitions, functions };
	}

	#world(documentation: string): WorldSyntax {
		this.#keyword("world");
		const { text: name, position } = this.#name("the name of the world");
		const imports: { name: string; position: Position }[] = [];
		const exports: { name: string; position: Position }[] = [];
		this.#symbol("{");
		while (!this.#isSymbol("}")) {
			this.#documentation();
			const into = this.#isKeyword("import") ? imports : this.#isKeyword("export") ? exports : undefined;
			if (!into) throw expected('"import", "export" or "}"', this.#peek());
			this.#next();
			const token = this.#name("the name of an interface of this package");
			into.push({ name: token.text, position: token.position });
			this.#symbol(";");
		}
		this.#symbol("}");
		return { name, documentation, position, imports, exports };
	}

	#use(): UseSyntax[] {
		this.#keyword("use");
		const from = this.#name("the name of an interface of this package").text;
		this.#symbol(".");
		return this.#braced(() => {
			const token = this.#name("the name of a type");
			if (!this.#isKeyword("as")) return { interface: from, name: token.text, alias: token.text, position: token.position };
			this.#next();
			return { interface: from, name: token.text, alias: this.#name("a name").text, position: token.position };
		}, true);
	}

	#definition(documentation: string): DefinitionSyntax {
		const keyword = this.#next();
		const { text: name, position } = this.#name(`the name of the ${keyword.text}`);
		const item = { name, documentation, position };
		switch (keyword.text) {
			case "type": {
				this.#symbol("=");
				const type = this.#type();
				this.#symbol(";");
				return { kind: "alias", ...item, type };
			}
			case "record":
				return { kind: "record", ...item, fields: this.#braced(() => this.#field()) };
			case "variant":
				return { kind: "variant", ...item, cases: this.#braced(() => this.#case()) };
			case "enum":
				return { kind: "enum", ...item, cases: this.#braced(() => this.#item("the name of a case")) };
			default:
				return { kind: "flags", ...item, cases: this.#braced(() => this.#item("the name of a flag")) };
		}
	}

	#field(): FieldSyntax {
		const item = this.#item("the name of a field");
		this.#symbol(":");
		return { ...item, type: this.#type() };
	}

	#case() {
		const item = this.#item("the name of a case");
		if (!this.#isSymbol("(")) return { ...item, type: undefined };
		this.#next();
		const type = this.#type();
		this.#symbol(")");
		return { ...item, type };
	}

	#item(what: string) {
		const documentation = this.#documentation();
		const { text: name, position } = this.#name(what);
		return { name, documentation, position };
	}

	#function(documentation: string): FunctionSyntax {
		const { text: name, position } = this.#name("the name of the function");
		this.#symbol(":");
		this.#keyword("func");
		this.#symbol("(");
		const parameters: { name: string; type: TypeSyntax; position: Position }[] = [];
		while (!this.#isSymbol(")")) {
			const parameter = this.#name("the name of a parameter");
			this.#symbol(":");
			parameters.push({ name: parameter.text, type: this.#type(), position: parameter.position });
			if (!this.#isSymbol(")")) this.#symbol(",", '"," or ")"');
		}
		this.#symbol(")");
		let result: TypeSyntax | undefined;
		if (this.#isSymbol("->")) {
			this.#next();
			result = this.#type();
		}
		this.#symbol(";");
		return { name, documentation, position, parameters, result };
	}

	#type(): TypeSyntax {
		const token = this.#next();
		const { position } = token;
		if (token.kind === "name") return { kind: "name", name: token.text, position };
		if (token.kind !== "word") throw expected("a type", token);
		switch (token.text) {
			case "option":
			case "list": {
				this.#symbol("<");
				const of = this.#type();
				this.#symbol(">");
				return { kind: token.text, of, position };
			}
			case "tuple": {
				this.#symbol("<");
				const items = [this.#type()];
				while (this.#isSymbol(",")) {
					this.#next();
					items.push(this.#type());
				}
				this.#symbol(">", '"," or ">"');
				return { kind: "tuple", items, position };
			}
			case "result":
				return this.#result(position);
		}
		if ((primitives as readonly string[]).includes(token.text))
			return { kind: "primitive", name: token.text as Primitive, position };
		if (keywords.has(token.text)) throw expected("a type that this generator knows", token);
		return { kind: "name", name: token.text, position };
	}

	#result(position: Position): TypeSyntax {
		if (!this.#isSymbol("<")) return { kind: "result", ok: undefined, error: undefined, position };
		this.#next();
		let ok: TypeSyntax | undefined;
		let error: TypeSyntax | undefined;
		if (this.#isSymbol("_")) {
			this.#next();
			this.#symbol(",");
			error = this.#type();
		} else {
			ok = this.#type();
			if (this.#isSymbol(",")) {
				this.#next();
				error = this.#type();
			}
		}
		this.#symbol(">");
		return { kind: "result", ok, error, position };
	}

	/** `{ item, item, }`, for `use` with a semicolon behind it. WIT has no empty ones. */
	#braced<T>(read: () => T, semicolon = false): T[] {
		this.#symbol("{");
		const items: T[] = [read()];
		while (!this.#isSymbol("}")) {
			this.#symbol(",", '"," or "}"');
			if (!this.#isSymbol("}")) items.push(read());
		}
		this.#symbol("}");
		if (semicolon) this.#symbol(";");
		return items;
	}

	/** Takes the doc comment of the item that begins here. */
	#documentation(): string {
		this.#documented = this.#peek();
		return this.#documented.documentation ?? "";
	}

	#peek(): Token {
		return this.#tokens[this.#at] as Token;
	}

	#next(): Token {
		const token = this.#peek();
		if (token.documentation !== undefined && token !== this.#documented)
			throw new WitError(token.position, "expected an item behind the doc comment that ends here");
		if (token.kind !== "end") this.#at++;
		return token;
	}

	#isSymbol(text: string): boolean {
		return this.#peek().kind === "symbol" && this.#peek().text === text;
	}

	#isKeyword(text: string): boolean {
		return this.#peek().kind === "word" && this.#peek().text === text;
	}

	#isName(): boolean {
		const token = this.#peek();
		return token.kind === "name" || (token.kind === "word" && !keywords.has(token.text));
	}

	#symbol(text: string, what = JSON.stringify(text)): Token {
		if (!this.#isSymbol(text)) throw expected(what, this.#peek());
		return this.#next();
	}

	#keyword(text: string): Token {
		if (!this.#isKeyword(text)) throw expected(JSON.stringify(text), this.#peek());
		return this.#next();
	}

	#name(what: string): Token {
		const token = this.#peek();
		if (token.kind === "word" && keywords.has(token.text))
			throw new WitError(
				token.position,
				`expected ${what}, found the keyword "${token.text}" (write %${token.text} to use it as a name)`,
			);
		if (!this.#isName()) throw expected(what, token);
		return this.#next();
	}
}

function expected(what: string, found: Token): WitError {
	return new WitError(
		found.position,
		`expected ${what}, found ${found.kind === "end" ? found.text : JSON.stringify(found.text)}`,
	);
}
