/** Tests of CPython that cannot pass in the sandbox. */
export interface Expectation {
	/** Ids of tests, or of the classes and modules that they are in. */
	readonly tests: readonly string[];
	readonly reason: string;
	/** Left out, because they would end the interpreter, or never end. */
	readonly isLeftOut?: true;
}

export const expectations: readonly Expectation[] = [];
