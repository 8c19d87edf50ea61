import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { RuntimeError } from "../host/contract/errors.ts";
import {
	type Authority,
	backdateMs,
	type CertificateAuthority,
	certificateAlgorithm,
	exportKey,
	maxCertificateMs,
	serialNumber,
} from "./certificate-authority.ts";
import { type CertificateSubject, extendedKeyUsage, subjectUri, thumbprintOf } from "./certificate-kind.ts";
import { loadX509 } from "./x509.ts";

/** A certificate with its key (PEM). */
export interface IssuedCertificate {
	readonly certificate: string;
	readonly key: string;
	/** SHA-256, base64url: what a token is bound to. */
	readonly thumbprint: string;
}

/** What a client needs: its own certificate, and whom it trusts (PEM). */
export interface ClientCredentials extends IssuedCertificate {
	readonly trusted: string;
}

export interface CertificateTerms {
	readonly subject: CertificateSubject;
	/** Milliseconds since the Unix epoch. */
	readonly expiresAt: number;
	/** Names and addresses by which clients reach the server, beside `localhost`. */
	readonly names?: readonly string[];
}

/** Makes a certificate with a key of its own, which is good since an hour: clocks of others may be behind. */
export async function issueCertificate(authority: Authority, terms: CertificateTerms): Promise<IssuedCertificate> {
	const keys = await crypto.subtle.generateKey(certificateAlgorithm, true, ["sign", "verify"]);
	const certificate = await certifyKey(authority, terms, keys.publicKey);
	return { certificate, key: await exportKey(keys.privateKey), thumbprint: thumbprintOf(new X509Certificate(certificate)) };
}

/** Makes a certificate (PEM) of a key that somebody else has. */
export async function certifyKey(
	authority: Authority,
	{ subject, expiresAt, names = [] }: CertificateTerms,
	publicKey: CryptoKey,
): Promise<string> {
	const x509 = await loadX509();
	const issuer = new x509.X509Certificate(authority.certificate);
	const usage = extendedKeyUsage[subject.kind];
	const reached = usage === extendedKeyUsage.server ? ["localhost", ...names] : [];
	const made = await x509.X509CertificateGenerator.create({
		serialNumber: serialNumber(),
		subject: `CN=${subject.kind === "server" ? "Cronium server" : `Cronium ${subject.kind} ${subject.id}`}`,
		issuer: issuer.subject,
		notBefore: new Date(Date.now() - backdateMs),
		// To the second; the token says when its holder has to be gone.
		notAfter: new Date(Math.ceil(expiresAt / 1_000) * 1_000),
		signingAlgorithm: certificateAlgorithm,
		publicKey,
		signingKey: authority.signingKey,
		extensions: [
			new x509.BasicConstraintsExtension(false, undefined, true),
			new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
			new x509.ExtendedKeyUsageExtension([usage], true),
			new x509.SubjectAlternativeNameExtension([
				{ type: "url", value: subjectUri(subject) },
				...reached.map((name) => ({ type: isIP(name) === 0 ? ("dns" as const) : ("ip" as const), value: name })),
			]),
			await x509.AuthorityKeyIdentifierExtension.create(issuer),
		],
	});
	return `${made.toString("pem")}\n`;
}

/**
 * The key of a certification request (PKCS#10, PEM) whose sender has proved to have its other half. Nothing else of the request counts: names and
 * extensions in it are wishes. Throws `invalid`.
 */
export async function requireRequestedKey(request: string): Promise<CryptoKey> {
	const x509 = await loadX509();
	try {
		const read = new x509.Pkcs10CertificateRequest(request);
		if (await read.verify()) return await read.publicKey.export(certificateAlgorithm, ["verify"]);
	} catch {
		// What is wrong with it is its sender's to find out.
	}
	throw new RuntimeError("invalid", "The certification request must be PKCS#10 (PEM), signed with its own P-256 key.");
}

/** Makes what a client of a run shows; good to the deadline of the run, a day at most. */
export async function issueClientCredentials(
	authority: CertificateAuthority,
	subject: CertificateSubject,
	deadlineAt: number,
): Promise<ClientCredentials> {
	const { newest, trusted } = await authority.current();
	const expiresAt = Math.min(deadlineAt, Date.now() + maxCertificateMs);
	return { ...(await issueCertificate(newest, { subject, expiresAt })), trusted };
}

/** What a server shows, and whom it trusts (PEM). */
export interface ServerCredentials {
	readonly certificate: string;
	readonly key: string;
	readonly trusted: string;
}

/**
 * Twice what a client's certificate can last: a door that is opened with a certificate in the first half of its life has one that outlives every run.
 */
const serverMs = 2 * maxCertificateMs;

/** The certificate of the host's own servers. Its key is in memory only; it is renewed when half of its life is over, and when its issuer is not trusted any more. */
export class ServerIdentity {
	readonly #authority: CertificateAuthority;
	readonly #names: readonly string[];
	#credentials: Promise<ServerCredentials> | undefined;
	#issuer = "";
	#trusted = "";
	#renewAt = 0;

	/** @param names by which clients reach the servers, beside `localhost` */
	constructor(authority: CertificateAuthority, names: readonly string[]) {
		this.#authority = authority;
		this.#names = names;
	}

	/** The same object as long as nothing has changed. */
	async current(): Promise<ServerCredentials> {
		const { oldest, trusted } = await this.#authority.current();
		const now = Date.now();
		if (oldest.certificate !== this.#issuer || now >= this.#renewAt) {
			this.#issuer = oldest.certificate;
			this.#trusted = trusted;
			this.#renewAt = now + serverMs / 2;
			this.#credentials = this.#issue(oldest, trusted, now).catch((error: unknown) => {
				this.#issuer = "";
				throw error;
			});
		} else if (trusted !== this.#trusted) {
			this.#trusted = trusted;
			this.#credentials = this.#credentials?.then((credentials) => ({ ...credentials, trusted }));
		}
		return await (this.#credentials as Promise<ServerCredentials>);
	}

	async #issue(authority: Authority, trusted: string, now: number): Promise<ServerCredentials> {
		const terms = { subject: { kind: "server" }, expiresAt: now + serverMs, names: this.#names } as const;
		const { certificate, key } = await issueCertificate(authority, terms);
		return { certificate, key, trusted };
	}
}
