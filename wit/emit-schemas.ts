import type { BoundOperation } from "./bind.ts";
import { constraints, type JsonSchema } from "./constraints.ts";
import type { Contract, ContractParameter } from "./contract.ts";
import { camelCase } from "./names.ts";
import { banner, literal } from "./print.ts";
import { SchemaWriter } from "./schemas.ts";

/** `host/contract/generated/schemas.ts`: JSON Schema 2020-12 for every type, parameter and result. */
export function emitSchemas(contract: Contract, operations: readonly BoundOperation[]): string {
	const idOf = (name: string) => `urn:${contract.package}:${contract.version}:${name}`;
	const writer = new SchemaWriter(contract, operations, idOf);
	const named: [string, JsonSchema][] = [...writer.types()];
	for (const operation of operations) {
		for (const parameter of operation.parameters)
			if (!isNamed(operation, parameter))
				named.push([parameterSchemaName(operation, parameter), writer.parameter(operation, parameter)]);
		named.push([`${operation.id}.parameters`, writer.parameters(operation)]);
		const result = writer.result(operation);
		if (result) named.push([`${operation.id}.result`, result]);
	}
	const members = named.map(
		([name, schema]) =>
			`\t${JSON.stringify(name)}: ${literal({ $schema: "https://json-schema.org/draft/2020-12/schema", $id: idOf(name), ...schema }, 1)},\n`,
	);
	return `${banner}
/**
 * JSON Schemas (2020-12) by name: every type (\`SetOptions\`), and of every operation \`<id>.parameters\` (an object of all of
 * them), \`<id>.result\` (unless it returns nothing; \`null\` stands for none) and \`<id>.<parameter>\` for what has no type of its own.
 * They refer to each other by \`$id\`. A JSON text (\`Json\`) is described as the value that it is.
 */
export const schemas = {
${members.join("")}} as const;

export type SchemaName = keyof typeof schemas;
`;
}

/** The name of the schema of one parameter. */
export function parameterSchemaName(operation: BoundOperation, parameter: ContractParameter): string {
	const { type } = parameter;
	if (isNamed(operation, parameter) && type.kind === "named") return type.definition.typeName;
	return `${operation.id}.${camelCase(parameter.name)}`;
}

/** Whether a parameter is of a type with a schema of its own and nothing is said about it beyond that type. */
function isNamed(operation: BoundOperation, { type, name }: ContractParameter): boolean {
	return type.kind === "named" && !Object.hasOwn(constraints, `${operation.id}.${name}`);
}
