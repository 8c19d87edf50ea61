import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import ssh2, { type AnyAuthMethod, type Client, type ParsedKey } from "ssh2";
import { type Certificate, readCertificate, signAsCertified } from "./certificate.ts";
import { describeHost, SshError } from "./ssh-error.ts";
import type { SshHost } from "./ssh-host.ts";

/** How one connection logs in. To be disposed of when that has come to an end. */
export interface Login extends Disposable {
	readonly method: AnyAuthMethod;
	/** What is shown to the host, for the message that it was refused: no secret. */
	readonly description: string;
	/** To be called when the client has begun to connect. */
	prepare(client: Client): void;
}

/** Keys have a few thousand bytes. */
const maxFileBytes = 64 * 1024;

/** Reads the files of a login. Throws SshError `host-login-refused`; what is in the files is in no message. */
export function openLogin(host: SshHost): Login {
	const { login, user: username } = host;
	const refuse = (message: string): never => {
		throw new SshError("host-login-refused", `${describeHost(host)}: ${message}`);
	};
	if (login.kind === "agent") {
		if (login.socket === "")
			refuse("hosts.toml says that an SSH agent logs in, and SSH_AUTH_SOCK, which says where it is, is not set in this process.");
		const agent = new Agent(login.socket);
		return {
			method: { type: "agent", username, agent },
			description: `what the agent at ${login.socket} holds`,
			prepare: () => {},
			[Symbol.dispose]: () => agent[Symbol.dispose](),
		};
	}
	const key = readKey(login.file, refuse);
	if (login.certificateFile === undefined)
		return {
			method: { type: "publickey", username, key },
			description: `the key ${login.file} (${key.type})`,
			prepare: () => {},
			[Symbol.dispose]: () => {},
		};
	const certificate: Certificate = readCertificate(readLoginFile(login.certificateFile, false, refuse), key, (problem) =>
		refuse(`the certificate ${login.certificateFile} ${problem}`),
	);
	return {
		method: { type: "publickey", username, key: certificate.key },
		description: `the certificate ${login.certificateFile} (${certificate.description})`,
		prepare: (client) => signAsCertified(client),
		[Symbol.dispose]: () => {},
	};
}

/** An agent that hangs is not waited for after the login. */
class Agent extends ssh2.OpenSSHAgent implements Disposable {
	readonly #streams = new Set<Duplex>();

	override getStream(found: (error?: Error | null, stream?: Duplex) => void): void {
		super.getStream((error, stream) => {
			if (stream) {
				this.#streams.add(stream);
				stream.once("close", () => this.#streams.delete(stream));
			}
			found(error, stream);
		});
	}

	[Symbol.dispose](): void {
		for (const stream of this.#streams) stream.destroy();
	}
}

function readKey(file: string, refuse: (message: string) => never): ParsedKey {
	const parsed = ssh2.utils.parseKey(readLoginFile(file, true, refuse));
	const key = Array.isArray(parsed) ? parsed[0] : parsed;
	if (key instanceof Error || key === undefined) {
		if (/encrypted/i.test(key?.message ?? ""))
			return refuse(
				`the key ${file} is encrypted. Load it into an SSH agent (\`ssh-add ${file}\`) and use that: agent = true, \`cronium hosts add … --agent\`.`,
			);
		return refuse(`the file ${file} holds no private key that can be read (OpenSSH or PEM; RSA, ECDSA or Ed25519).`);
	}
	if (!key.isPrivateKey()) return refuse(`the file ${file} holds a public key; the private one logs in.`);
	return key;
}

/** A private key that others can read is refused, as ssh does. */
function readLoginFile(file: string, isPrivate: boolean, refuse: (message: string) => never): Buffer {
	let descriptor: number | undefined;
	try {
		// A named pipe would be waited for.
		descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
		const stats = fstatSync(descriptor);
		if (!stats.isFile()) return refuse(`${file} is no file.`);
		if (stats.size > maxFileBytes) return refuse(`${file} has ${stats.size} bytes; a key has at most ${maxFileBytes}.`);
		if (isPrivate && stats.uid === process.geteuid?.() && (stats.mode & 0o077) !== 0)
			return refuse(
				`the key ${file} is open to others (mode ${(stats.mode & 0o777).toString(8)}); it must be this user's alone: \`chmod 600 ${file}\`.`,
			);
		return readFileSync(descriptor);
	} catch (cause) {
		if (cause instanceof SshError) throw cause;
		return refuse(`${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`);
	} finally {
		if (descriptor !== undefined) closeSync(descriptor);
	}
}
