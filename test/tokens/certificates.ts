import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** `stranger` has a certificate that somebody else has issued. */
export type ClientName = "client" | "other" | "stranger";

/** Files with certificates and keys (PEM), made by openssl. */
export interface Certificates {
	readonly directory: string;
	readonly ca: string;
	readonly serverCert: string;
	readonly serverKey: string;
	readonly clientCert: string;
}

/** A private issuer, a server's certificate and two of clients; and a client of another issuer. */
export function makeCertificates(directory: string): Certificates {
	const path = (name: string) => join(directory, name);
	const openssl = (...argv: string[]) => execFileSync("openssl", argv, { stdio: "ignore" });
	const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
	for (const issuer of ["ca", "elsewhere"])
		openssl("req", "-x509", ...ec, "-keyout", path(`${issuer}.key`), "-out", path(`${issuer}.pem`), "-subj", `/CN=${issuer}`);
	for (const [name, issuer, extension] of [
		["server", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
		["client", "ca", "extendedKeyUsage=clientAuth"],
		["other", "ca", "extendedKeyUsage=clientAuth"],
		["stranger", "elsewhere", "extendedKeyUsage=clientAuth"],
	] as const) {
		writeFileSync(path(`${name}.ext`), extension);
		openssl("req", ...ec, "-keyout", path(`${name}.key`), "-out", path(`${name}.csr`), "-subj", `/CN=${name}`);
		const signed = ["-CA", path(`${issuer}.pem`), "-CAkey", path(`${issuer}.key`), "-CAcreateserial", "-days", "2"];
		openssl("x509", "-req", "-in", path(`${name}.csr`), ...signed, "-out", path(`${name}.pem`), "-extfile", path(`${name}.ext`));
	}
	return {
		directory,
		ca: path("ca.pem"),
		serverCert: path("server.pem"),
		serverKey: path("server.key"),
		clientCert: path("client.pem"),
	};
}

/** What a client shows, and the issuer whom it trusts. */
export function readClient({ directory, ca }: Certificates, name: ClientName) {
	const read = (file: string) => readFileSync(file, "utf8");
	return { ca: read(ca), cert: read(join(directory, `${name}.pem`)), key: read(join(directory, `${name}.key`)) };
}

/** SHA-256 of a client's certificate, base64url: what a token says that is bound to it. */
export function thumbprintOf({ directory }: Certificates, name: ClientName): string {
	const { fingerprint256 } = new X509Certificate(readFileSync(join(directory, `${name}.pem`)));
	return Buffer.from(fingerprint256.replaceAll(":", ""), "hex").toString("base64url");
}
