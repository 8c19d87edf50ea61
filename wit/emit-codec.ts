import type { BoundOperation } from "./bind.ts";
import { type ContractParameter, type Definition, isJson, type Structure, type Type } from "./contract.ts";
import { integerRange } from "./integers.ts";
import { camelCase } from "./names.ts";
import { banner } from "./print.ts";
import { WitError } from "./syntax.ts";

/**
 * `host/contract/generated/codec.ts`: for every operation a decoder of its parameters, made of the checks in shapes.ts, and an
 * encoder of its result. Written out rather than driven by a schema because every call of every guest goes through it.
 */
export function emitCodec(operations: readonly BoundOperation[]): string {
	const used = new Map<string, Definition>();
	const collect = (type: Type): void => {
		if (type.kind === "list" || type.kind === "option") collect(type.of);
		if (type.kind !== "named" || isJson(type)) return;
		if (type.definition.kind === "alias") collect(type.definition.type);
		else used.set(type.definition.typeName, type.definition);
		if (type.definition.kind === "record") for (const field of type.definition.fields) collect(field.type);
	};
	for (const { parameters } of operations) for (const { type } of parameters) collect(type);
	const records = [...used.values()].filter((one) => one.kind === "record");
	const enums = [...used.values()].filter((one) => one.kind === "enum");
	const entries = operations.filter(({ resultKind }) => resultKind === "entry");
	const body = [
		...enums.map(
			(one) => `const ${lower(one.typeName)} = [${one.cases.map(({ name }) => JSON.stringify(name)).join(", ")}] as const;\n`,
		),
		...records.map(recordDecoder),
		`const nothing: Encode = () => "";\nconst text: Encode = (result) => result as string;\nconst plain: Encode = (result) => JSON.stringify(result);\n`,
		...entries.map(entryEncoder),
		`/** How each operation's parameters are read and its result is written. The functions of encode.ts are the way to use it. */
export const codecs: Readonly<Record<OperationId, Codec>> = {\n${operations.map(codec).join("")}};\n`,
	].join("\n");
	const checks = [
		"finite",
		"flag",
		"oneOf",
		"prose",
		"readParameters",
		"record",
		"refuseBody",
		"requiredJson",
		"string",
		"unknownField",
		"whole",
	];
	const imported = checks.filter((name) => new RegExp(`\\b${name}\\(`).test(body));
	const types = [...new Set([...records, ...entries.map(resultRecord)].map(({ typeName }) => typeName))].sort();
	return `${banner}import { ${imported.join(", ")} } from "../shapes.ts";
import type { OperationId } from "./operations.ts";
import type { ${types.join(", ")} } from "./types.ts";

type Decode = (params: string | readonly unknown[], body: string | undefined) => unknown[];
type Encode = (result: unknown) => string;

/** Reads the parameters of one operation and writes its result. */
export interface Codec {
	readonly decode: Decode;
	readonly encode: Encode;
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

${body}`;
}

function codec(operation: BoundOperation): string {
	const name = JSON.stringify(operation.sdkName);
	const plain = operation.parameters.filter(({ kind }) => kind === "plain");
	const takesBody = operation.parameters.some(({ kind }) => kind === "json");
	const read = `readParameters(${name}, params, ${plain.length})`;
	const decoded = operation.parameters.map((parameter) => argument(operation, parameter, plain.indexOf(parameter)));
	return `\t${JSON.stringify(operation.id)}: {
		decode(params, body) {
			${plain.length > 0 ? `const given = ${read}` : read};
${takesBody ? "" : `\t\t\trefuseBody(${name}, body);\n`}			return [${decoded.join(", ")}];
		},
		encode: ${encoderOf(operation)},
	},\n`;
}

function argument(operation: BoundOperation, parameter: ContractParameter, index: number): string {
	const name = JSON.stringify(camelCase(parameter.name));
	if (parameter.kind === "json") return parameter.required ? `requiredJson(body, ${name})` : "body";
	const given = `given[${index}]`;
	const read = operation.prose.includes(parameter.name) ? `prose(${given}, ${name})` : check(parameter.type, given, name);
	if (parameter.required) return read;
	// `null` may stand for missing options; for a number it may be a NaN that JSON cannot write, so there it is refused.
	const missing = isRecord(parameter.type) ? `${given} === undefined || ${given} === null` : `${given} === undefined`;
	return `${missing} ? undefined : ${read}`;
}

function recordDecoder(one: Structure): string {
	const cases = one.fields.map((field) => {
		if (!field.optional)
			throw new WitError(undefined, `the codec has no form yet for a required field in a parameter (${one.name}.${field.name})`);
		const name = camelCase(field.name);
		return `\t\t\tcase ${JSON.stringify(name)}:
				result.${name} = ${check(field.type, "given[field]", `\`\${name}.${name}\``)};
				break;\n`;
	});
	const fields = one.fields.map(({ name }) => JSON.stringify(camelCase(name))).join(", ");
	return `function ${lower(one.typeName)}(value: unknown, name: string): ${one.typeName} {
	const given = record(value, name);
	const result: Mutable<${one.typeName}> = {};
	for (const field of Object.keys(given))
		switch (field) {
${cases.join("")}			default:
				throw unknownField(field, name, [${fields}]);
		}
	return result;
}\n`;
}

/** The expression that checks `value` and returns it; `name` is an expression too. */
function check(type: Type, value: string, name: string): string {
	if (type.kind === "primitive") {
		const range = integerRange(type.name);
		if (range) return `whole(${value}, ${name}, ${range.minimum}, ${range.maximum})`;
		return `${type.name === "string" ? "string" : type.name === "bool" ? "flag" : "finite"}(${value}, ${name})`;
	}
	if (type.kind !== "named") throw new WitError(undefined, `the codec has no form yet for a ${type.kind} in a parameter`);
	const { definition } = type;
	if (definition.kind === "alias") return check(definition.type, value, name);
	if (definition.kind === "enum") return `oneOf(${value}, ${name}, ${lower(definition.typeName)})`;
	return `${lower(definition.typeName)}(${value}, ${name})`;
}

function encoderOf(operation: BoundOperation): string {
	switch (operation.resultKind) {
		case "none":
			return "nothing";
		case "json":
			return "text";
		case "plain":
			return "plain";
		case "entry":
			return lower(resultRecord(operation).typeName);
	}
}

/** Splices the JSON texts of a record in as they are. */
function entryEncoder(operation: BoundOperation): string {
	const one = resultRecord(operation);
	const members = one.fields.map((field) => {
		const value = `value.${camelCase(field.name)}`;
		if (field.optional)
			throw new WitError(
				undefined,
				`the codec has no form yet for an optional field beside a JSON text (${one.name}.${field.name})`,
			);
		return `"${camelCase(field.name)}":\${${isJson(field.type) ? value : `JSON.stringify(${value})`}}`;
	});
	return `const ${lower(one.typeName)}: Encode = (result) => {
	const value = result as ${one.typeName};
	return \`{${members.join(",")}}\`;
};\n`;
}

function resultRecord({ id, result }: BoundOperation): Structure {
	if (result?.kind !== "named" || result.definition.kind !== "record") throw new WitError(undefined, `${id} returns no record`);
	return result.definition;
}

function isRecord(type: Type): boolean {
	return type.kind === "named" && type.definition.kind === "record";
}

function lower(typeName: string): string {
	return typeName.charAt(0).toLowerCase() + typeName.slice(1);
}
