/** Tests of CPython that cannot pass in the sandbox. */
export interface Expectation {
	/** Ids of tests, or of the classes and modules that they are in. */
	readonly tests: readonly string[];
	readonly reason: string;
	/** Left out, because they would end the interpreter, or never end. */
	readonly isLeftOut?: true;
}

export const expectations: readonly Expectation[] = [
	{
		tests: ["test.test_csv.TestSniffer.test_sniff_quoted_single_column"],
		reason: "Mended behind CPython 3.14.2: there its regular expression takes exponential time.",
		isLeftOut: true,
	},
	{
		tests: ["test.test_json.test_speedups.TestEncode.test_current_indent_level"],
		reason: "Mended behind CPython 3.14.2: there the encoder goes on with an object that has been freed.",
		isLeftOut: true,
	},
];
