import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Place } from "./http-client.ts";

/** PEM files of a server with TLS, and of its client. */
export interface TlsFiles {
	readonly issuer: string;
	readonly certificate: string;
	readonly key: string;
	readonly clientCertificate: string;
	readonly clientKey: string;
	/** Whether the server asks for the client's. */
	readonly isMutual: boolean;
}

/** Makes them in the directory, with OpenSSL: P-256, for `localhost`. */
export async function createTlsFiles(directory: string, isMutual = true): Promise<TlsFiles> {
	const file = (name: string): string => join(directory, name);
	const openssl = (...words: readonly string[]): void => void execFileSync("openssl", words, { stdio: "ignore" });
	const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
	openssl(...["req", "-x509", ...key, "-keyout", file("ca.key"), "-out", file("ca.pem"), "-subj", "/CN=issuer", "-days", "2"]);
	await writeFile(file("names"), "subjectAltName = DNS:localhost\n");
	for (const name of ["server", "client"]) {
		openssl(...["req", ...key, "-keyout", file(`${name}.key`), "-out", file(`${name}.csr`), "-subj", `/CN=${name}`]);
		const issue = [
			"x509",
			"-req",
			"-in",
			file(`${name}.csr`),
			"-CA",
			file("ca.pem"),
			"-CAkey",
			file("ca.key"),
			"-CAcreateserial",
		];
		openssl(...issue, "-out", file(`${name}.pem`), "-days", "2", "-extfile", file("names"));
	}
	return {
		issuer: file("ca.pem"),
		certificate: file("server.pem"),
		key: file("server.key"),
		clientCertificate: file("client.pem"),
		clientKey: file("client.key"),
		isMutual,
	};
}

/** What a client of the server trusts, and shows where TLS is mutual. */
export async function readClientFiles(files: TlsFiles): Promise<NonNullable<Place["tls"]>> {
	const ca = await readFile(files.issuer, "utf8");
	if (!files.isMutual) return { ca };
	return {
		ca,
		certificate: await readFile(files.clientCertificate, "utf8"),
		key: await readFile(files.clientKey, "utf8"),
	};
}
