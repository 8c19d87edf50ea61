import type { Server as TlsServer } from "node:tls";
import type { FastifyInstance } from "fastify";
import type { ServerTls } from "../host/http/server.ts";
import { CertificateAuthority } from "../sidecar/certificate-authority.ts";
import { type ServerCredentials, ServerIdentity } from "../sidecar/certificates.ts";

/** How often it is looked whether there is another one. It is renewed when half of its life is over, and long before its issuer is not trusted any more. */
const lookEveryMs = 60_000;

/** A certificate that the host's own authority issues for its public servers. It is renewed while they run. */
export class ServerCertificate implements Disposable {
	readonly #identity: ServerIdentity;
	readonly #servers = new Set<TlsServer>();
	readonly #onChange: (() => void)[] = [];
	#shown: ServerCredentials;
	#timer: NodeJS.Timeout | undefined;

	private constructor(identity: ServerIdentity, shown: ServerCredentials) {
		this.#identity = identity;
		this.#shown = shown;
		this.#lookLater();
	}

	/** @param names by which clients reach the servers, beside `localhost`. Throws `unavailable` when the authority cannot be used. */
	static async open(dataDirectory: string, names: readonly string[]): Promise<ServerCertificate> {
		const identity = new ServerIdentity(new CertificateAuthority(dataDirectory), names);
		return new ServerCertificate(identity, await identity.current());
	}

	get tls(): ServerTls {
		const { certificate, key } = this.#shown;
		return { certificate, key };
	}

	/** Whom clients trust (PEM). */
	get trusted(): string {
		return this.#shown.trusted;
	}

	/** Shows the server's clients the one that is good. */
	keepFresh({ server }: FastifyInstance): void {
		this.#servers.add(server as unknown as TlsServer);
	}

	/** Calls back when clients have to trust another authority. */
	onChange(changed: () => void): void {
		this.#onChange.push(changed);
	}

	/** Takes another certificate, if there is one. */
	async refresh(): Promise<void> {
		const current = await this.#identity.current();
		if (current === this.#shown) return;
		const isTrustNew = current.trusted !== this.#shown.trusted;
		this.#shown = current;
		const { certificate: cert, key } = current;
		for (const server of this.#servers) server.setSecureContext({ cert, key, minVersion: "TLSv1.3" });
		if (isTrustNew) for (const changed of this.#onChange) changed();
	}

	#lookLater(): void {
		this.#timer = setTimeout(async () => {
			await this.refresh().catch((cause: Error) =>
				process.emitWarning(`The certificate of the servers cannot be renewed: ${cause.message}`, "CroniumWarning"),
			);
			if (this.#timer) this.#lookLater();
		}, lookEveryMs).unref();
	}

	[Symbol.dispose](): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}
}
