/** Where a parameter, or one field of it, is in a request. */
export interface Place {
	readonly parameter: string;
	readonly field?: string;
	readonly in: "path" | "query" | "header" | "body";
	readonly name?: string;
	/** `etag`: a version in quotation marks. `star`: true is `*`. */
	readonly as?: "etag" | "star";
}

/** One function of the contract, and how it is reached over HTTP. */
export interface Operation {
	readonly id: string;
	readonly name: string;
	/** Whether it changes something: such a call carries an idempotency key. */
	readonly effect: boolean;
	readonly parameters: readonly { readonly name: string; readonly kind: "json" | "plain"; readonly required: boolean }[];
	readonly result: "none" | "json" | "plain" | "entry";
	readonly method: "GET" | "PUT" | "POST" | "DELETE";
	readonly path: string;
	readonly places: readonly Place[];
	/** Headers of the answer that are fields of the result. */
	readonly headers?: readonly { readonly name: string; readonly field: string }[];
}
