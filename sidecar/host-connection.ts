import { X509Certificate } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";
import { isCertificateOf } from "./certificate-kind.ts";
import { readAddress } from "./sidecar-credentials.ts";

/** Where a host is reached, by what it is recognised, and what is shown to it. */
export interface HostEnd {
	/** `host:port`. */
	readonly address: string;
	/** Certificates of the authorities that are trusted (PEM). */
	readonly trusted: string;
	/** What is shown (PEM); an agent that joins has nothing yet. */
	readonly certificate?: string;
	readonly key?: string;
}

/** Connects to a host: TLS 1.3, HTTP/2. Whoever is there and cannot show the certificate of a host is left before anything is said. */
export function connectToHost({ address, trusted, certificate, key }: HostEnd): TLSSocket {
	const { host, port } = readAddress(address);
	return connect({
		host,
		port,
		ca: trusted,
		...(certificate !== undefined && { cert: certificate }),
		...(key !== undefined && { key }),
		minVersion: "TLSv1.3",
		ALPNProtocols: ["h2"],
		// Who issued it was verified. By which name the host is reached says nothing here: only the host has a certificate of this kind.
		checkServerIdentity: (_name, { raw }) =>
			isCertificateOf(new X509Certificate(raw), { kind: "server" })
				? undefined
				: new Error("This is not the certificate of a host."),
	});
}
