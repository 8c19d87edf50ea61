import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Authority, backdateMs, CertificateAuthority, certificateAlgorithm } from "../../sidecar/certificate-authority.ts";
import {
	type CertificateSubject,
	isCertificateOf,
	readSubject,
	subjectUri,
	thumbprintOf,
} from "../../sidecar/certificate-kind.ts";
import { issueCertificate } from "../../sidecar/certificates.ts";
import { loadX509 } from "../../sidecar/x509.ts";

let directory: string;
let authority: Authority;
beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "cronium-kinds-"));
	authority = (await new CertificateAuthority(directory).current()).newest;
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const subjects: readonly CertificateSubject[] = [
	{ kind: "server" },
	{ kind: "run", id: "a" },
	{ kind: "run", id: "b" },
	{ kind: "sidecar", id: "a" },
	{ kind: "door", id: "a" },
];

describe.each(subjects.map((subject): [string, CertificateSubject] => [subjectUri(subject), subject]))("%s", (uri, subject) => {
	test("is what its certificate says, and stands in for no other", async () => {
		const issued = await issueCertificate(authority, { subject, expiresAt: Date.now() + 60_000 });
		const certificate = new X509Certificate(issued.certificate);
		expect(certificate.subjectAltName).toContain(`URI:${uri}`);
		expect(readSubject(certificate)).toEqual(subject);
		for (const other of subjects) expect(isCertificateOf(certificate, other), subjectUri(other)).toBe(other === subject);
		expect(issued.thumbprint).toBe(thumbprintOf(certificate));
		expect(certificate.keyUsage).toHaveLength(1);
		expect(certificate.ca).toBe(false);
	});
});

const client = "1.3.6.1.5.5.7.3.2";
const server = "1.3.6.1.5.5.7.3.1";

/** A certificate of the authority that no part of the program would make. */
async function forge(
	uris: readonly string[],
	usages: readonly string[],
	options: { readonly dns?: readonly string[]; readonly isAuthority?: boolean } = {},
) {
	const x509 = await loadX509();
	const keys = await crypto.subtle.generateKey(certificateAlgorithm, true, ["sign", "verify"]);
	const names = [
		...(options.dns ?? []).map((value) => ({ type: "dns" as const, value })),
		...uris.map((value) => ({ type: "url" as const, value })),
	];
	const made = await x509.X509CertificateGenerator.create({
		subject: "CN=Cronium run a, CN=spiffe://cronium/run/a",
		issuer: new x509.X509Certificate(authority.certificate).subject,
		notBefore: new Date(Date.now() - backdateMs),
		notAfter: new Date(Date.now() + 60_000),
		signingAlgorithm: certificateAlgorithm,
		publicKey: keys.publicKey,
		signingKey: authority.signingKey,
		extensions: [
			new x509.BasicConstraintsExtension(options.isAuthority ?? false, undefined, true),
			...(usages.length > 0 ? [new x509.ExtendedKeyUsageExtension([...usages])] : []),
			...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
		],
	});
	return new X509Certificate(made.toString("pem"));
}

test("a certificate with one usage and one name is what it says", async () => {
	expect(readSubject(await forge(["spiffe://cronium/run/a"], [client]))).toEqual({ kind: "run", id: "a" });
});

test.each<[string, readonly string[], readonly string[], Parameters<typeof forge>[2]?]>([
	["the usage of a server and the name of a run", ["spiffe://cronium/run/a"], [server]],
	["the usage of a client and the name of a server", ["spiffe://cronium/server"], [client]],
	["both usages", ["spiffe://cronium/run/a"], [client, server]],
	["any usage", ["spiffe://cronium/run/a"], ["2.5.29.37.0"]],
	["no usage", ["spiffe://cronium/run/a"], []],
	["two names", ["spiffe://cronium/run/a", "spiffe://cronium/run/b"], [client]],
	["the names of two kinds", ["spiffe://cronium/sidecar/a", "spiffe://cronium/run/a"], [client]],
	["no name", [], [client]],
	["a name in the subject alone", [], [client], { dns: ["localhost"] }],
	["another trust domain", ["spiffe://cronium.example/run/a"], [client]],
	["another kind", ["spiffe://cronium/node/a"], [client]],
	["more than a name", ["spiffe://cronium/run/a/b"], [client]],
	["less than a name", ["spiffe://cronium/run/"], [client]],
	["a name in another case", ["SPIFFE://cronium/run/a"], [client]],
	["a query", ["spiffe://cronium/run/a?b"], [client]],
	["a name with a list in it", ["spiffe://cronium/run/a, URI:spiffe://cronium/run/b"], [client]],
	["a name within a host name", [], [client], { dns: ["a, URI:spiffe://cronium/run/a"] }],
	["an authority's rights", ["spiffe://cronium/run/a"], [client], { isAuthority: true }],
	["a run's name behind the server", ["spiffe://cronium/server/a"], [server]],
	["no run", ["spiffe://cronium/run"], [client]],
])("a certificate with %s is of no kind", async (_what, uris, usages, options) => {
	expect(readSubject(await forge(uris, usages, options))).toBeUndefined();
});
