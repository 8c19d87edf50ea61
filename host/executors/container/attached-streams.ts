import type { Duplex, Writable } from "node:stream";
import { EngineError } from "./engine-error.ts";

/** Some bytes that a container has written. */
export interface ContainerOutput {
	readonly source: "stdout" | "stderr";
	readonly bytes: Buffer;
}

/** The standard streams of a container. Disposing of it cuts the connection; the container stays as it is. */
export interface ContainerStreams extends AsyncDisposable {
	/** Ending it ends the container's standard input. */
	readonly input: Writable;
	/** What the container writes, to be read once. Who reads slowly makes the container's writes wait. */
	readonly output: AsyncIterable<ContainerOutput>;
}

/** Engines frame what a container writes in pieces of some 32 KiB: more than this is no frame. */
const maxFrameBytes = 16 * 1024 * 1024;
const headerBytes = 8;
const sources = { 1: "stdout", 2: "stderr" } as const;

/** Takes a hijacked connection as the streams of a container without a terminal. */
export function attachedStreams(connection: Duplex, head: Buffer, describe: string): ContainerStreams {
	// An error comes with the reading, if somebody reads; a connection that is cut while nobody does is no reason to end the process.
	connection.on("error", () => {});
	if (head.length > 0) connection.unshift(head);
	return {
		input: connection,
		output: separate(connection, describe),
		[Symbol.asyncDispose]: async () => {
			connection.destroy();
		},
	};
}

/** Yields pieces of frames as they come, so that no frame has to fit into memory. */
async function* separate(connection: Duplex, describe: string): AsyncGenerator<ContainerOutput> {
	let header = Buffer.alloc(0);
	let source: ContainerOutput["source"] = "stdout";
	let left = 0;
	for await (const chunk of chunks(connection, describe)) {
		let rest = chunk;
		while (rest.length > 0) {
			if (left === 0) {
				const missing = headerBytes - header.length;
				header = Buffer.concat([header, rest.subarray(0, missing)]);
				rest = rest.subarray(missing);
				if (header.length < headerBytes) break;
				({ source, length: left } = readHeader(header, describe));
				header = Buffer.alloc(0);
				continue;
			}
			const bytes = rest.subarray(0, left);
			rest = rest.subarray(bytes.length);
			left -= bytes.length;
			yield { source, bytes };
		}
	}
	if (left > 0 || header.length > 0)
		throw new EngineError("engine-unreachable", `${describe}: the connection ended inside a frame of ${left} more bytes.`);
}

/** Who writes to a container that has ended loses the rest of its output, too: the connection is one. */
async function* chunks(connection: Duplex, describe: string): AsyncGenerator<Buffer> {
	try {
		yield* connection as AsyncIterable<Buffer>;
	} catch (cause) {
		throw new EngineError("engine-unreachable", `${describe}: the connection broke: ${(cause as Error).message}`, { cause });
	}
}

function readHeader(header: Buffer, describe: string): { readonly source: ContainerOutput["source"]; readonly length: number } {
	const type = header.readUInt8(0);
	const length = header.readUInt32BE(4);
	const source = sources[type as keyof typeof sources];
	if (source === undefined || header.readUIntBE(1, 3) !== 0 || length > maxFrameBytes)
		throw new EngineError(
			"engine-error",
			`${describe}: ${header.toString("hex")} is not the header of a frame of standard output or standard error of ${maxFrameBytes} bytes at most.`,
		);
	return { source, length };
}
