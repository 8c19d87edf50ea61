/**
 * The smallest script: what the default function returns is the output of the run.
 * @param {{ name?: string } | null} input
 */
export default async function hello(input) {
	console.log("Saying hello.");
	return { greeting: `Hello, ${input?.name ?? "world"}!` };
}
