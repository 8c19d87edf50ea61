/** The script's imports cannot be brought into the sandbox. `code` is that of the failure the run would have. */
export class BundleError extends Error {
	override readonly name = "BundleError";
	readonly code: "import-error" | "syntax-error";

	constructor(code: BundleError["code"], message: string) {
		super(message);
		this.code = code;
	}
}
