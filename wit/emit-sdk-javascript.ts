import type { BoundOperation, BoundPlace } from "./bind.ts";
import { constraints } from "./constraints.ts";
import { type Contract, type ContractParameter, type Definition, isJson, type Type } from "./contract.ts";
import { typeName } from "./emit-types.ts";
import { camelCase } from "./names.ts";
import { banner, docComment, literal } from "./print.ts";

/**
 * `guest-sdks/js/cronium.d.ts`: the module `cronium` as scripts see it, in the sandbox and from the package. It imports nothing, so that it can be
 * copied.
 */
export function emitJavascriptTypes(contract: Contract, operations: readonly BoundOperation[]): string {
	return declarations('The module "cronium"', contract, operations, (result) => `Promise<${result}>`);
}

/** `guest-sdks/js/cronium-sync.d.ts`: the module `cronium/sync`, the same without promises. */
export function emitJavascriptSyncTypes(contract: Contract, operations: readonly BoundOperation[]): string {
	return declarations('The module "cronium/sync"', contract, operations, (result) => result);
}

function declarations(
	title: string,
	contract: Contract,
	operations: readonly BoundOperation[],
	returned: (result: string) => string,
): string {
	const members = [...operations.map(({ sdkName }) => sdkName), "log", "RuntimeError"];
	return [
		`${banner}// ${title}, for editors and type checkers.\n`,
		...definitionsOf(contract, operations).map(definition),
		errorTypes(contract),
		`/** A value and what is known of it. */
export interface VariableEntry<T = unknown> {
	readonly value: T;
	readonly metadata: Metadata;
}
`,
		operations.map((one) => `${docComment(one.documentation)}export function ${signature(one, returned)};\n`).join(""),
		logTypes(returned("void")),
		`declare const cronium: {\n${members.map((name) => `\treadonly ${name}: typeof ${name};\n`).join("")}};\nexport default cronium;\n`,
	].join("\n");
}

/** `guest-sdks/js/src/generated/calls.ts`: the calls of the SDK, for whatever sends them. */
export function emitJavascriptCalls(operations: readonly BoundOperation[]): string {
	const rows = operations.map((one) => `\t${literal(row(one), 1)},\n`).join("");
	const members = operations.map(call).join("");
	const names = operations.map(({ sdkName }) => sdkName);
	return `${banner}import type * as module from "../../cronium.d.ts";
import type { Operation } from "../operation.ts";

/** Every function of the contract, and how it is reached over HTTP. */
export const operations: readonly Operation[] = [\n${rows}];

/** The functions of the contract. */
export type Calls = Pick<typeof module, ${names.map((name) => JSON.stringify(name)).join(" | ")}>;

/** The same without promises. */
export type SyncCalls = { readonly [Name in keyof Calls]: (...given: Parameters<Calls[Name]>) => Awaited<ReturnType<Calls[Name]>> };

/** Makes the functions of something that performs them. */
export function createCalls<Answer>(perform: (operation: Operation, given: readonly unknown[]) => Answer) {
	const [${names.join(", ")}] = operations as readonly Operation[] & { readonly [index: number]: Operation };
	return {
${members}	};
}
`;
}

function call(one: BoundOperation): string {
	const names = one.parameters.map(({ name, required }) => `${camelCase(name)}${required ? "" : "?"}: unknown`);
	const given = one.parameters.map(({ name }) => camelCase(name));
	return `${docComment(one.documentation, 2)}\t\t${one.sdkName}: (${names.join(", ")}): Answer => perform(${one.sdkName} as Operation, [${given.join(", ")}]),\n`;
}

function row(one: BoundOperation) {
	const { method, path, answer } = one.http;
	return {
		id: one.id,
		name: one.sdkName,
		effect: one.effect,
		parameters: one.parameters.map(({ name, kind, required }) => ({ name: camelCase(name), kind, required })),
		result: one.resultKind,
		method,
		path,
		places: one.places.map(place),
		headers: answer.headers
			?.filter(({ name }) => name !== "Content-Length")
			.map(({ name, field }) => ({ name: name.toLowerCase(), field: field.split(".").map(camelCase).join(".") })),
	};
}

function place(one: BoundPlace) {
	return {
		parameter: camelCase(one.parameter.name),
		field: one.field && camelCase(one.field.name),
		in: one.in,
		name: one.name,
		as: one.as,
	};
}

function signature(one: BoundOperation, returned: (result: string) => string): string {
	const parameters = one.parameters.map(
		(parameter) => `${camelCase(parameter.name)}${parameter.required ? "" : "?"}: ${parameterType(one, parameter)}`,
	);
	const generic = one.resultKind === "json" || one.resultKind === "entry" ? "<T = unknown>" : "";
	return `${one.sdkName}${generic}(${parameters.join(", ")}): ${returned(resultType(one))}`;
}

function parameterType(one: BoundOperation, { name, type, kind }: ContractParameter): string {
	if (kind !== "json") return inlined(type);
	return constraints[`${one.id}.${name}`]?.type === "object" ? "object" : "unknown";
}

function resultType({ result, resultKind, optionalResult }: BoundOperation): string {
	if (!result || resultKind === "none") return "void";
	const type = resultKind === "json" ? "T" : resultKind === "entry" ? "VariableEntry<T>" : inlined(result);
	return optionalResult ? `${type} | null` : type;
}

/** A key is a string to whoever writes one. */
function inlined(type: Type): string {
	return type.kind === "named" && type.definition.name === "key" ? "string" : typeName(type);
}

/** What the operations take and return, and what that is made of, in the order of the contract. */
function definitionsOf(contract: Contract, operations: readonly BoundOperation[]): readonly Definition[] {
	const used = new Set<Definition>();
	const visit = (type: Type): void => {
		if (type.kind === "list" || type.kind === "option") visit(type.of);
		if (type.kind !== "named" || isJson(type) || used.has(type.definition)) return;
		used.add(type.definition);
		if (type.definition.kind === "alias") visit(type.definition.type);
		if (type.definition.kind === "record") for (const field of type.definition.fields) visit(field.type);
	};
	for (const { parameters, result, resultKind } of operations) {
		for (const { type } of parameters) visit(type);
		if (!result) continue;
		if (resultKind !== "entry") visit(result);
		else if (result.kind === "named" && result.definition.kind === "record")
			for (const field of result.definition.fields) visit(field.type);
	}
	return contract.interfaces.flatMap(({ definitions }) => definitions).filter((one) => used.has(one));
}

function definition(one: Definition): string {
	const head = docComment(one.documentation);
	switch (one.kind) {
		case "alias":
			return `${head}export type ${one.typeName} = ${typeName(one.type)};\n`;
		case "enum":
			return `${head}export type ${one.typeName} = ${one.cases.map(({ name }) => JSON.stringify(name)).join(" | ")};\n`;
		case "record": {
			const fields = one.fields.map(
				({ name, documentation, optional, type }) =>
					`${docComment(documentation, 1)}\treadonly ${camelCase(name)}${optional ? "?" : ""}: ${typeName(type)};\n`,
			);
			return `${head}export interface ${one.typeName} {\n${fields.join("")}}\n`;
		}
	}
}

function errorTypes({ errors }: Contract): string {
	const cases = errors.map(({ name, documentation }) => `${docComment(documentation, 1)}\t| ${JSON.stringify(name)}`);
	return `/** Why a call failed: a closed set, the same in every language. */
export type ErrorCode =
${cases.join("\n")};

/** With an error: which limit or version it is about. */
export interface ErrorDetails {
	readonly limit?: { readonly name: string; readonly value: number; readonly unit: string };
	readonly currentVersion?: Version;
	readonly retryAfterMs?: number;
}
`;
}

const logTypes = (written: string): string => `type WriteLine = (message: unknown, fields?: object) => ${written};

/** Writes structured lines to the log of the run. */
export const log: { readonly debug: WriteLine; readonly info: WriteLine; readonly warn: WriteLine; readonly error: WriteLine };

/** What every helper rejects with. \`code\` never changes its meaning. */
export class RuntimeError extends Error {
	readonly code: ErrorCode;
	readonly details: ErrorDetails;
	constructor(code: ErrorCode, message: string, details?: ErrorDetails);
}
`;
