import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take a minute or so. Begun last, one of them would run alone at the end. */
const long = [
	/conformance\/doors\/(?:container|ssh|sidecar|stub)/,
	/containers\/(?:failures|life|exhaustion)/,
	/cli\/run/,
	/cli\/serve/,
	/ssh\/(?:scripts|ends)/,
	/ssh-bridge\/agents-cli/,
	/test\/docs/,
];

const rank = ({ moduleId }: TestSpecification): number => {
	const found = long.findIndex((pattern) => pattern.test(moduleId));
	return found < 0 ? long.length : found;
};

/** Begins with the files that take longest; the others are in the order that they have without it. */
export default class LongestFirst extends BaseSequencer {
	override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
		return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
	}
}
