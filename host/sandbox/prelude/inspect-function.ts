/** `[Function: name]`, `[class Name extends Other]`, … */
export function formatFunction(value: object, className: string | null, tag: string): string {
	const source = Function.prototype.toString.call(value);
	if (/^class[\s{]/.test(source) && source.endsWith("}")) return formatClass(value, className, tag);
	const type = typeOf(value);
	let text = `[${type}${className === null ? " (null prototype)" : ""}`;
	const { name } = value as { readonly name?: unknown };
	text += typeof name === "string" && name !== "" ? `: ${name}]` : " (anonymous)]";
	if (className !== type && className !== null) text += ` ${className}`;
	if (tag !== "" && className !== tag) text += ` [${tag}]`;
	return text;
}

function formatClass(value: object, className: string | null, tag: string): string {
	const own: unknown = Object.getOwnPropertyDescriptor(value, "name")?.value;
	let text = `class ${typeof own === "string" && own !== "" ? own : "(anonymous)"}`;
	if (className !== "Function" && className !== null) text += ` [${className}]`;
	if (tag !== "" && className !== tag) text += ` [${tag}]`;
	if (className === null) return `[${text} extends [null prototype]]`;
	const parent = (Object.getPrototypeOf(value) as { readonly name?: unknown } | null)?.name;
	return parent ? `[${text} extends ${String(parent)}]` : `[${text}]`;
}

const AsyncFunctionPrototype = Object.getPrototypeOf(async () => {}) as object;
const GeneratorPrototype = Object.getPrototypeOf(function* () {}) as object;
const AsyncGeneratorPrototype = Object.getPrototypeOf(async function* () {}) as object;

function typeOf(value: object): string {
	const prototype = Object.getPrototypeOf(value) as unknown;
	if (prototype === AsyncFunctionPrototype) return "AsyncFunction";
	if (prototype === GeneratorPrototype) return "GeneratorFunction";
	return prototype === AsyncGeneratorPrototype ? "AsyncGeneratorFunction" : "Function";
}
