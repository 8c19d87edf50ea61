import type { BoundOperation } from "./bind.ts";
import { constraints, type JsonSchema } from "./constraints.ts";
import { type Contract, type ContractParameter, type Definition, isJson, type Type } from "./contract.ts";
import { integerRange } from "./integers.ts";
import { camelCase } from "./names.ts";
import { WitError } from "./syntax.ts";

/** Makes the schemas of one document; documents differ in how they refer from one schema to another. */
export class SchemaWriter {
	readonly #contract: Contract;
	readonly #reference: (typeName: string) => string;
	/** Types of parameters: unknown members are mistakes there. What is returned may gain members later. */
	readonly #closed: ReadonlySet<string>;

	constructor(contract: Contract, operations: readonly BoundOperation[], reference: (typeName: string) => string) {
		this.#contract = contract;
		this.#reference = reference;
		this.#closed = new Set(operations.flatMap(({ parameters }) => parameters.flatMap(({ type }) => recordNames(type))));
		requireKnown(contract);
	}

	/** The schema of every type, by its TypeScript name. */
	types(): ReadonlyMap<string, JsonSchema> {
		const definitions = this.#contract.interfaces.flatMap((one) => one.definitions);
		return new Map(definitions.map((one) => [one.typeName, this.#definition(one)]));
	}

	/** A type where it is used; `path` is the WIT name that constraints go by. */
	use(type: Type, path: string, documentation?: string): JsonSchema {
		const extra = constraintOf(path);
		const description = documentation === undefined ? {} : { description: documentation };
		switch (type.kind) {
			case "named":
				if (isJson(type) && extra.type !== undefined) return { ...description, ...extra };
				return { $ref: this.#reference(type.definition.typeName), ...description, ...extra };
			case "list":
				return { type: "array", ...description, items: this.use(type.of, `${path}[]`), ...extra };
			case "option":
				return { anyOf: [this.use(type.of, path), { type: "null" }], ...description };
			case "primitive":
				return { ...primitive(type), ...description, ...extra };
		}
	}

	/** A parameter by itself. */
	parameter(operation: BoundOperation, parameter: ContractParameter): JsonSchema {
		return this.use(parameter.type, `${operation.id}.${parameter.name}`);
	}

	/** All parameters as one object. */
	parameters(operation: BoundOperation): JsonSchema {
		return object(
			operation.parameters.map((parameter) => ({
				name: camelCase(parameter.name),
				required: parameter.required,
				schema: this.parameter(operation, parameter),
			})),
			true,
		);
	}

	/** The result, with `null` for none; undefined when there is never one. */
	result(operation: BoundOperation): JsonSchema | undefined {
		if (!operation.result) return undefined;
		const schema = this.use(operation.result, `${operation.id}.result`);
		return operation.optionalResult && !isJson(operation.result) ? { anyOf: [schema, { type: "null" }] } : schema;
	}

	#definition(one: Definition): JsonSchema {
		const extra = constraintOf(`${one.interface}.${one.name}`);
		const head = { title: one.typeName, description: one.documentation };
		switch (one.kind) {
			case "alias": {
				if (isJson({ kind: "named", definition: one })) return { ...head, ...extra };
				return { ...head, ...this.use(one.type, `${one.interface}.${one.name}`) };
			}
			case "enum": {
				const cases = one.cases.map((item) => `- \`${item.name}\`: ${item.documentation}`).join("\n");
				return {
					...head,
					description: `${one.documentation}\n\n${cases}`,
					type: "string",
					enum: one.cases.map((item) => item.name),
					...extra,
				};
			}
			case "record": {
				const fields = one.fields.map((field) => ({
					name: camelCase(field.name),
					required: !field.optional,
					schema: this.use(field.type, `${one.interface}.${one.name}.${field.name}`, field.documentation),
				}));
				return { ...head, ...object(fields, this.#closed.has(one.typeName)), ...extra };
			}
		}
	}
}

function object(fields: readonly { name: string; required: boolean; schema: JsonSchema }[], closed: boolean): JsonSchema {
	const required = fields.filter((field) => field.required).map(({ name }) => name);
	return {
		type: "object",
		properties: Object.fromEntries(fields.map(({ name, schema }) => [name, schema])),
		...(required.length > 0 ? { required } : {}),
		...(closed ? { additionalProperties: false } : {}),
	};
}

function primitive(type: Extract<Type, { kind: "primitive" }>): JsonSchema {
	if (type.name === "string") return { type: "string" };
	if (type.name === "bool") return { type: "boolean" };
	const range = integerRange(type.name);
	return range ? { type: "integer", ...range } : { type: "number" };
}

function constraintOf(path: string): JsonSchema {
	return Object.hasOwn(constraints, path) ? (constraints[path] as JsonSchema) : {};
}

function recordNames(type: Type): string[] {
	if (type.kind === "primitive") return [];
	if (type.kind !== "named") return recordNames(type.of);
	const { definition } = type;
	if (definition.kind !== "record") return [];
	return [definition.typeName, ...definition.fields.flatMap((field) => recordNames(field.type))];
}

/** A constraint for a name that is gone would silently constrain nothing. */
function requireKnown(contract: Contract): void {
	const known = new Set<string>();
	for (const one of contract.interfaces) {
		for (const definition of one.definitions) {
			known.add(`${one.name}.${definition.name}`);
			if (definition.kind === "record")
				for (const field of definition.fields) known.add(`${one.name}.${definition.name}.${field.name}`);
		}
		for (const { id, parameters } of one.functions) for (const { name } of parameters) known.add(`${id}.${name}`);
	}
	for (const path of Object.keys(constraints))
		if (!known.has(path)) throw new WitError(undefined, `wit/constraints.ts has "${path}", but the WIT has no such name`);
}
