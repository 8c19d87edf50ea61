import type { IncomingHttpHeaders } from "node:http";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { httpStatus } from "../../../host/contract/errors.ts";
import { type ErrorCode, errorCodes } from "../../../host/contract/generated/types.ts";
import type { DescribedAnswer, DescribedOperation, Document } from "./described-operations.ts";
import type { RandomRequest } from "./random-request.ts";

export interface Answer {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly text: string;
}

/** Statuses that HTTP has and the contract has not, with the code of the contract that they go with. */
const ownStatuses: Readonly<Record<number, ErrorCode>> = { 405: "not-found", 408: "timed-out", 415: "invalid", 431: "too-large" };

/** What no answer may hold: places in the host, and what only somebody else may see. */
export interface Secrets {
	readonly texts: readonly string[];
}

/** Frames of the host; those of scripts have the names of their own files. */
const hostDetail = /node:internal|node_modules/;

/** Compares the answers of one server with the document that describes it. */
export class AnswerCheck {
	readonly #ajv: Ajv2020;
	readonly #secrets: Secrets;
	readonly #validators = new Map<string, ValidateFunction>();

	constructor(document: Document, secrets: Secrets) {
		this.#ajv = new Ajv2020({ strict: false });
		formats.default(this.#ajv);
		this.#ajv.addSchema({ ...document, $id: "document.json" });
		this.#secrets = secrets;
	}

	/** What is wrong with an answer; empty when nothing is. */
	problemsOf(request: RandomRequest, { status, headers, text }: Answer): string[] {
		const { operation, isRouted, credential, method } = request;
		const problems: string[] = [];
		const described = isRouted ? describedAnswer(operation, status) : undefined;
		if (status >= 500 && !isLegitimate(status, text)) problems.push(`status ${status}`);
		if (isRouted && !described && !isOwnStatus(request, status)) problems.push(`the status ${status} is not described`);
		if (status < 400 && operation.isSecured && isRouted && !isGood(credential)) problems.push(`${credential} was let in`);
		if (status === 401 && isGood(credential)) problems.push(`the credential ${credential} was refused`);
		if (headers["cache-control"] !== "no-store") problems.push(`cache-control is ${headers["cache-control"]}`);
		if (described && status < 400) problems.push(...this.#checkBody(described, headers, text));
		else if (status >= 400 && method !== "HEAD") problems.push(...this.#checkProblem(described, status, headers, text));
		for (const [name, schema] of Object.entries(described?.headers ?? {})) {
			const value = headers[name.toLowerCase()];
			if (typeof value === "string" && !this.#matches(schema, value)) problems.push(`the header ${name} is ${value}`);
		}
		const whole = `${JSON.stringify(headers)}\n${text}`;
		if (hostDetail.test(whole)) problems.push("it tells of the host");
		for (const secret of this.#secrets.texts) if (whole.includes(secret)) problems.push("it tells a secret");
		return problems;
	}

	#checkBody({ content }: DescribedAnswer, headers: IncomingHttpHeaders, text: string): string[] {
		const type = headers["content-type"]?.split(";", 1)[0];
		if (type === undefined) return text === "" ? [] : ["it has a body without a type"];
		const schema = content[type];
		if (schema === undefined) return [`the content type ${type} is not described`];
		return type === "application/json" ? this.#check(schema, text) : [];
	}

	#checkProblem(described: DescribedAnswer | undefined, status: number, headers: IncomingHttpHeaders, text: string): string[] {
		if (!headers["content-type"]?.startsWith("application/problem+json"))
			return [`the error has the type ${headers["content-type"]}`];
		const schema = described?.content["application/problem+json"];
		const problems = schema === undefined || status in ownStatuses ? [] : this.#check(schema, text);
		const { code, status: said } = JSON.parse(text) as { readonly code: ErrorCode; readonly status: number };
		if (!errorCodes.includes(code)) problems.push(`the code is ${code}`);
		if (said !== status) problems.push(`its body says status ${said}`);
		if (httpStatus[code] !== status && ownStatuses[status] !== code) problems.push(`the code ${code} has the status ${status}`);
		return problems;
	}

	#check(schema: string, text: string): string[] {
		let value: unknown;
		try {
			value = JSON.parse(text);
		} catch {
			return [`the body is not JSON: ${text.slice(0, 100)}`];
		}
		const validate = this.#validator(schema);
		if (validate(value)) return [];
		return [`the body breaks ${schema}: ${this.#ajv.errorsText(validate.errors)}`];
	}

	/** Headers are texts, whatever their schema says that they stand for. */
	#matches(schema: string, value: string): boolean {
		const validate = this.#validator(schema);
		return validate(value) || (value !== "" && validate(Number(value)));
	}

	#validator(schema: string): ValidateFunction {
		let validate = this.#validators.get(schema);
		if (!validate) {
			validate = this.#ajv.compile({ $ref: `document.json${schema}` });
			this.#validators.set(schema, validate);
		}
		return validate;
	}
}

const isGood = (credential: RandomRequest["credential"]): boolean => ["good", "narrow", "slow"].includes(credential);

function describedAnswer({ answers }: DescribedOperation, status: number): DescribedAnswer | undefined {
	return answers[status] ?? (status >= 400 ? answers[`${Math.floor(status / 100)}XX`] : undefined);
}

/** A status that any request can meet because of HTTP itself. */
function isOwnStatus({ body, headers }: RandomRequest, status: number): boolean {
	if (status === 415) return body !== undefined;
	return status === 431 && headers.some(([, value]) => typeof value === "string" && value.length > 10_000);
}

/** A host that is full says so, with the limit: nothing else of the 5xx can be met here. */
function isLegitimate(status: number, text: string): boolean {
	return status === 503 && /"limit":\{"name":"max(External|Queued)Runs"/.test(text);
}
