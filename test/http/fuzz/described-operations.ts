/** A JSON Schema, as far as the fuzzer reads it. */
export interface Schema {
	readonly $ref?: string;
	readonly type?: string | readonly string[];
	readonly enum?: readonly unknown[];
	readonly const?: unknown;
	readonly anyOf?: readonly Schema[];
	readonly oneOf?: readonly Schema[];
	readonly properties?: Readonly<Record<string, Schema>>;
	readonly required?: readonly string[];
	readonly additionalProperties?: boolean | Schema;
	readonly items?: Schema;
	readonly minimum?: number;
	readonly maximum?: number;
	readonly maxLength?: number;
}

export interface DescribedParameter {
	readonly name: string;
	readonly in: "path" | "query" | "header";
	readonly required: boolean;
	readonly schema: Schema;
}

export interface DescribedAnswer {
	/** By media type: a pointer to its schema in the document. */
	readonly content: Readonly<Record<string, string>>;
	/** By name: a pointer to its schema. */
	readonly headers: Readonly<Record<string, string>>;
}

/** One operation of an OpenAPI document, its references followed. */
export interface DescribedOperation {
	readonly id: string;
	readonly method: string;
	/** With `{name}` for its parameters. */
	readonly path: string;
	readonly parameters: readonly DescribedParameter[];
	readonly body: Schema | undefined;
	/** By status, or by `4XX` and `5XX`. */
	readonly answers: Readonly<Record<string, DescribedAnswer>>;
	/** Whether it needs a credential. */
	readonly isSecured: boolean;
}

export type Document = Readonly<Record<string, unknown>>;
type Node = Readonly<Record<string, unknown>>;

/** Every operation that a document describes. */
export function describedOperations(document: Document): readonly DescribedOperation[] {
	const everywhere = document.security as readonly unknown[] | undefined;
	return entriesOf(document.paths).flatMap(([path, methods]) =>
		entriesOf(methods).map(([method, node]): DescribedOperation => {
			const operation = node as Node;
			const pointer = `#/paths/${pointerStep(path)}/${method}`;
			const body = follow(document, operation.requestBody, "").node;
			const security = (operation.security as readonly unknown[] | undefined) ?? everywhere ?? [];
			return {
				id: operation.operationId as string,
				method: method.toUpperCase(),
				path,
				parameters: ((operation.parameters ?? []) as readonly unknown[]).map(
					(one) => follow(document, one, "").node as unknown as DescribedParameter,
				),
				body: body && (((body.content as Node)["application/json"] as Node | undefined)?.schema as Schema | undefined),
				answers: Object.fromEntries(
					entriesOf(operation.responses).map(([status, one]) => [
						status,
						describeAnswer(document, one, `${pointer}/responses/${status}`),
					]),
				),
				isSecured: security.length > 0,
			};
		}),
	);
}

/** The schema that a reference of the document leads to. */
export function resolveSchema(document: Document, schema: Schema): Schema {
	return follow(document, schema, "").node as Schema;
}

function describeAnswer(document: Document, answer: unknown, at: string): DescribedAnswer {
	const { node, pointer } = follow(document, answer, at);
	const schemas = (name: "content" | "headers") =>
		Object.fromEntries(
			entriesOf(node[name]).map(([key, one]) => {
				const found = follow(document, one, `${pointer}/${name}/${pointerStep(key)}`);
				return [key, `${found.pointer}/schema`];
			}),
		);
	return { content: schemas("content"), headers: schemas("headers") };
}

function follow(document: Document, start: unknown, at: string): { readonly node: Node; readonly pointer: string } {
	let node = start as Node;
	let pointer = at;
	while (typeof node?.$ref === "string") {
		pointer = node.$ref;
		node = pointer
			.slice(2)
			.split("/")
			.reduce((inside, step) => inside[step.replaceAll("~1", "/").replaceAll("~0", "~")] as Node, document as Node);
	}
	return { node, pointer };
}

const entriesOf = (node: unknown): [string, unknown][] => Object.entries((node ?? {}) as Node);
/** As a step of a JSON pointer in a URI fragment. */
const pointerStep = (name: string): string => encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));
