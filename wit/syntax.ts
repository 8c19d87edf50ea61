// What the parser makes of a WIT file: its items as they are written, names not looked up yet.

/** A place in a WIT file; lines and columns begin at 1. */
export interface Position {
	readonly file: string;
	readonly line: number;
	readonly column: number;
}

/** A mistake in a WIT file or in a table beside the generator: what is wrong, where, and what was expected. */
export class WitError extends Error {
	override readonly name = "WitError";

	constructor(position: Position | undefined, message: string) {
		super(position ? `${position.file}:${position.line}:${position.column}: ${message}` : message);
	}
}

export const primitives = ["bool", "s8", "s16", "s32", "s64", "u8", "u16", "u32", "u64", "f32", "f64", "char", "string"] as const;
export type Primitive = (typeof primitives)[number];

/** A type as it is written. */
export type TypeSyntax =
	| { readonly kind: "primitive"; readonly name: Primitive; readonly position: Position }
	| { readonly kind: "name"; readonly name: string; readonly position: Position }
	| { readonly kind: "option" | "list"; readonly of: TypeSyntax; readonly position: Position }
	| { readonly kind: "tuple"; readonly items: readonly TypeSyntax[]; readonly position: Position }
	| {
			readonly kind: "result";
			readonly ok: TypeSyntax | undefined;
			readonly error: TypeSyntax | undefined;
			readonly position: Position;
	  };

/** What every item has. */
interface Item {
	/** The WIT name, in kebab-case and without `%`. */
	readonly name: string;
	/** The text of the doc comment, lines joined by "\n"; "" when there is none. */
	readonly documentation: string;
	readonly position: Position;
}

export interface AliasSyntax extends Item {
	readonly kind: "alias";
	readonly type: TypeSyntax;
}
export interface FieldSyntax extends Item {
	readonly type: TypeSyntax;
}
export interface RecordSyntax extends Item {
	readonly kind: "record";
	readonly fields: readonly FieldSyntax[];
}
export interface EnumSyntax extends Item {
	readonly kind: "enum";
	readonly cases: readonly Item[];
}
export interface FlagsSyntax extends Item {
	readonly kind: "flags";
	readonly cases: readonly Item[];
}
export interface VariantSyntax extends Item {
	readonly kind: "variant";
	readonly cases: readonly (Item & { readonly type: TypeSyntax | undefined })[];
}
export type DefinitionSyntax = AliasSyntax | RecordSyntax | EnumSyntax | FlagsSyntax | VariantSyntax;

export interface FunctionSyntax extends Item {
	readonly parameters: readonly { readonly name: string; readonly type: TypeSyntax; readonly position: Position }[];
	readonly result: TypeSyntax | undefined;
}

/** `use types.{name as alias}`. */
export interface UseSyntax {
	readonly interface: string;
	readonly name: string;
	readonly alias: string;
	readonly position: Position;
}

export interface InterfaceSyntax extends Item {
	readonly uses: readonly UseSyntax[];
	readonly definitions: readonly DefinitionSyntax[];
	readonly functions: readonly FunctionSyntax[];
}

export interface WorldSyntax extends Item {
	/** Names of interfaces of the same package, in order. */
	readonly imports: readonly { readonly name: string; readonly position: Position }[];
	readonly exports: readonly { readonly name: string; readonly position: Position }[];
}

export interface WitSyntax {
	/** `cronium:runtime@1.0.0`. */
	readonly package: { readonly id: string; readonly version: string; readonly position: Position };
	readonly interfaces: readonly InterfaceSyntax[];
	readonly worlds: readonly WorldSyntax[];
}
