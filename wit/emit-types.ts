import type { Contract, ContractFunction, ContractInterface, Definition, Type } from "./contract.ts";
import { camelCase, pascalCase } from "./names.ts";
import { banner, docComment, literal } from "./print.ts";
import { scopes } from "./scopes.ts";

const answer = `/** A value now, or a promise of it: a store in this process answers at once, a remote one later. */
export type Answer<T> = T | Promise<T>;

/** What every call carries besides its arguments. */
export interface CallContext {
	/** Unique within the run. */
	readonly callId: string;
	/** W3C trace context of the caller. */
	readonly traceparent?: string;
	/** Makes a repeated call return the first one's result. Scoped to the run. */
	readonly idempotencyKey?: string;
	/** What the credential that the call came with allows of the run's scopes; all of them when it does not say. */
	readonly scopes?: readonly Scope[];
}
`;

/**
 * `host/contract/generated/types.ts`: every WIT type and interface in TypeScript, and `Helpers`, the world. The two closed sets,
 * error codes and scopes, are there as values too.
 */
export function emitTypes(contract: Contract): string {
	const parts = [banner, answer];
	for (const one of contract.interfaces)
		parts.push(...one.definitions.map(definition), ...(one.name === "types" ? [errorCode(contract)] : []));
	const callable = contract.interfaces.filter(({ functions }) => functions.length > 0);
	parts.push(...callable.map(interfaceType), helpers(contract, callable), scopeType());
	return parts.join("\n");
}

/** The TypeScript form of a WIT type. */
export function typeName(type: Type): string {
	switch (type.kind) {
		case "primitive":
			return type.name === "string" ? "string" : type.name === "bool" ? "boolean" : "number";
		case "named":
			return type.definition.typeName;
		case "list":
			return `readonly ${type.of.kind === "option" ? `(${typeName(type.of)})` : typeName(type.of)}[]`;
		case "option":
			return `${typeName(type.of)} | undefined`;
	}
}

function definition(one: Definition): string {
	const head = docComment(one.documentation);
	switch (one.kind) {
		case "alias":
			return `${head}export type ${one.typeName} = ${typeName(one.type)};\n`;
		case "enum":
			return `${head}export type ${one.typeName} =\n${union(one.cases)}`;
		case "record": {
			const fields = one.fields.map(
				(field) =>
					`${docComment(field.documentation, 1)}\treadonly ${camelCase(field.name)}${field.optional ? "?" : ""}: ${typeName(field.type)};\n`,
			);
			return `${head}export interface ${one.typeName} {\n${fields.join("")}}\n`;
		}
	}
}

function errorCode(contract: Contract): string {
	return `/** The closed set of errors: the cases of the WIT variant \`error\`. */
export type ErrorCode =
${union(contract.errors)}
/** Every error code, in the order of the WIT. */
export const errorCodes: readonly ErrorCode[] = ${literal(contract.errors.map(({ name }) => name))};
/** What each code means, in a sentence. */
export const errorTitles: Readonly<Record<ErrorCode, string>> = {
${contract.errors.map(({ name, documentation }) => `\t${JSON.stringify(name)}: ${JSON.stringify(documentation)},\n`).join("")}};
`;
}

function union(cases: readonly { readonly name: string; readonly documentation: string }[]): string {
	return `${cases.map(({ name, documentation }) => `${docComment(documentation, 1)}\t| ${JSON.stringify(name)}`).join("\n")};\n`;
}

function interfaceType(one: ContractInterface): string {
	return `${docComment(one.documentation)}export interface ${pascalCase(one.name)} {\n${one.functions.map(method).join("")}}\n`;
}

function method(one: ContractFunction): string {
	const parameters = one.parameters.map(
		({ name, type, required }) => `${camelCase(name)}: ${typeName(type)}${required ? "" : " | undefined"}`,
	);
	const result = one.result ? `${typeName(one.result)}${one.optionalResult ? " | undefined" : ""}` : "void";
	return `${docComment(one.documentation, 1)}\t${camelCase(one.name)}(${[...parameters, "call: CallContext"].join(", ")}): Answer<${result}>;\n`;
}

function helpers(contract: Contract, callable: readonly ContractInterface[]): string {
	const { name, documentation } = contract.world;
	const members = callable.map(
		(one) => `${docComment(one.documentation, 1)}\treadonly ${camelCase(one.name)}: ${pascalCase(one.name)};\n`,
	);
	return `${docComment(`The world \`${name}\`, bound to one execution. ${documentation}`)}export interface Helpers {\n${members.join("")}}\n`;
}

function scopeType(): string {
	const cases = Object.entries(scopes).map(([name, documentation]) => ({ name, documentation }));
	return `/** The rights a run can have, one per kind of operation. */
export type Scope =
${union(cases)}
/** Every scope there is. */
export const scopes: readonly Scope[] = ${literal(Object.keys(scopes))};
`;
}
