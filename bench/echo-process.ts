import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { readClientFiles, type TlsFiles } from "./certificates.ts";
import type { Place } from "./http-client.ts";
import { Program } from "./program.ts";

const echoProgram = fileURLToPath(new URL("./echo-server.ts", import.meta.url));

/** The bare Fastify server in a process of its own. */
export class EchoServer implements AsyncDisposable {
	readonly place: Place;
	readonly #program: Program;

	private constructor(program: Program, place: Place) {
		this.#program = program;
		this.place = place;
	}

	static async start(listen: string, files: TlsFiles | undefined): Promise<EchoServer> {
		const tls = files ? [files.certificate, files.key, ...(files.isMutual ? [files.issuer] : [])] : [];
		const program = Program.start([process.execPath, echoProgram, listen, ...tls], { cwd: tmpdir() });
		const url = await program.line();
		const address = url.startsWith("http") ? { host: "127.0.0.1", port: Number(new URL(url).port) } : { path: listen };
		return new EchoServer(program, { address, ...(files && { tls: await readClientFiles(files) }) });
	}

	get processorTime(): number {
		return this.#program.processorTime;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.#program.end();
	}
}
