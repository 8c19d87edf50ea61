import type { X509Certificate } from "node:crypto";

/** What a certificate of ours says about its holder. None can stand in for another: each has one usage and one name. */
export type CertificateSubject =
	/** The host itself. */
	| { readonly kind: "server" }
	/** A script, at the local door of its run. */
	| { readonly kind: "run"; readonly id: string }
	/** A sidecar process, towards the host. */
	| { readonly kind: "sidecar"; readonly id: string }
	/** The local door that a sidecar process has for its run. */
	| { readonly kind: "door"; readonly id: string }
	/** The agent of an SSH host, towards the bridge. */
	| { readonly kind: "agent"; readonly id: string };

export type CertificateKind = CertificateSubject["kind"];

/** Object identifiers of the extended key usages (RFC 5280, section 4.2.1.12). */
const serverAuth = "1.3.6.1.5.5.7.3.1";
const clientAuth = "1.3.6.1.5.5.7.3.2";

export const extendedKeyUsage: Readonly<Record<CertificateKind, string>> = {
	server: serverAuth,
	run: clientAuth,
	sidecar: clientAuth,
	door: serverAuth,
	agent: clientAuth,
};

/** The name of the holder, a SPIFFE ID. */
export function subjectUri(subject: CertificateSubject): string {
	return `spiffe://cronium/${subject.kind === "server" ? "server" : `${subject.kind}/${subject.id}`}`;
}

/**
 * What a certificate, whose issuer was verified, says about its holder; undefined when it is none of ours: when it has another usage beside its own, or
 * no name, or several.
 */
export function readSubject(certificate: X509Certificate): CertificateSubject | undefined {
	if (certificate.ca) return undefined;
	// OpenSSL writes a name that could be misread in quotation marks, and this is no list of plain names any more.
	const names = (certificate.subjectAltName ?? "").split(", ").filter((name) => name.startsWith("URI:"));
	const [, kind, id] =
		/^URI:spiffe:\/\/cronium\/(server|run|sidecar|door|agent)(?:\/([A-Za-z0-9_-]{1,64}))?$/.exec(names[0] ?? "") ?? [];
	if (names.length !== 1 || kind === undefined || (kind === "server") !== (id === undefined)) return undefined;
	const usages: readonly string[] = certificate.keyUsage ?? [];
	if (usages.length !== 1 || usages[0] !== extendedKeyUsage[kind as CertificateKind]) return undefined;
	return (id === undefined ? { kind } : { kind, id }) as CertificateSubject;
}

/** Whether the certificate is of that holder. */
export function isCertificateOf(certificate: X509Certificate, subject: CertificateSubject): boolean {
	const found = readSubject(certificate);
	return found !== undefined && subjectUri(found) === subjectUri(subject);
}

/** SHA-256 of a certificate, base64url: what a token is bound to (RFC 8705). */
export function thumbprintOf({ fingerprint256 }: X509Certificate): string {
	// Hexadecimal with colons.
	return Buffer.from(fingerprint256.replaceAll(":", ""), "hex").toString("base64url");
}
