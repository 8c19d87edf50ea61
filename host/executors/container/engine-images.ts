import type { Readable } from "node:stream";
import type { EngineConnection } from "./engine-connection.ts";

/** How an image is built. */
export interface ImageBuild {
	/** Its name, fully qualified: `localhost/cronium/node:0.1.0`. */
	readonly reference: string;
	/** Inside of the context. Default: `Dockerfile`. */
	readonly dockerfile?: string;
	readonly arguments?: Readonly<Record<string, string>>;
	readonly labels?: Readonly<Record<string, string>>;
	readonly signal?: AbortSignal;
}

/** Nothing said for so long while a file system is unpacked or a package is downloaded means that nobody works on it. */
const imageTimeoutMs = 15 * 60_000;

export async function importImage(
	connection: EngineConnection,
	tar: Readable,
	kind: "docker" | "podman",
	reference: string,
	changes: readonly string[],
): Promise<void> {
	const colon = reference.lastIndexOf(":");
	// Podman overlooks `tag`, and takes the tag with the name.
	const name = kind === "podman" ? { repo: reference } : { repo: reference.slice(0, colon), tag: reference.slice(colon + 1) };
	const what = `import image ${reference}`;
	const query = { fromSrc: "-", ...name, changes };
	const answer = await connection.ask({
		method: "POST",
		path: "/images/create",
		query,
		body: tar,
		timeoutMs: imageTimeoutMs,
		what,
	});
	requireSuccess(connection, what, answer);
}

export async function buildImage(connection: EngineConnection, context: Readable, build: ImageBuild): Promise<void> {
	const what = `build image ${build.reference}`;
	const answer = await connection.ask({
		method: "POST",
		path: "/build",
		query: {
			t: build.reference,
			dockerfile: build.dockerfile ?? "Dockerfile",
			buildargs: JSON.stringify(build.arguments ?? {}),
			labels: JSON.stringify(build.labels ?? {}),
			rm: "1",
			forcerm: "1",
		},
		body: context,
		timeoutMs: imageTimeoutMs,
		...(build.signal && { signal: build.signal }),
		what,
	});
	requireSuccess(connection, what, answer);
}

/** Such answers begin with 200, and tell in one of their lines if it went wrong later. */
function requireSuccess(connection: EngineConnection, what: string, answer: Buffer): void {
	for (const line of answer.toString().split("\n")) {
		if (!line.includes('"error"')) continue;
		const { error } = JSON.parse(line) as { readonly error?: unknown };
		if (typeof error !== "string") continue;
		throw connection.refusal(what, 500, Buffer.from(JSON.stringify({ message: error })));
	}
}
