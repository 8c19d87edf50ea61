import { RuntimeError } from "../../contract/errors.ts";

type Promising = NonNullable<typeof WebAssembly.promising>;
type Suspending = NonNullable<typeof WebAssembly.Suspending>;

/**
 * What lets a guest wait for the host without holding up this thread: WebAssembly's JavaScript Promise Integration. Throws `unsupported` where this Node does
 * not have it.
 */
export function requireSuspension(): { readonly promising: Promising; readonly Suspending: Suspending } {
	const { promising, Suspending } = WebAssembly;
	if (!promising || !Suspending)
		throw new RuntimeError(
			"unsupported",
			`Python in the sandbox needs Node 24.20 or newer, and this is ${process.versions.node}: WebAssembly cannot be suspended there. --in container runs it.`,
		);
	return { promising, Suspending };
}
