import { spawn } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import {
	chmodSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CertificateAuthority, listAuthorities, rotateAuthority } from "../../sidecar/certificate-authority.ts";
import { issueCertificate, issueClientCredentials, ServerIdentity } from "../../sidecar/certificates.ts";

let directory: string;
let keys: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "cronium-authority-"));
	keys = join(directory, "keys");
});
afterEach(() => {
	vi.useRealTimers();
	rmSync(directory, { recursive: true, force: true });
});

const hour = 60 * 60_000;
const day = 24 * hour;
const at = (time: number): void => {
	vi.useFakeTimers({ toFake: ["Date"] });
	vi.setSystemTime(time);
};
const anotherKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
	type: "pkcs8",
	format: "pem",
}) as string;
const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256;
const isIssuedBy = (pem: string, issuer: string): boolean =>
	new X509Certificate(pem).verify(new X509Certificate(issuer).publicKey);

test("it is made at the first need, once in a process, and only its owner can read it", async () => {
	const before = process.umask(0);
	try {
		const authority = new CertificateAuthority(directory);
		const all = await Promise.all(Array.from({ length: 8 }, () => authority.current()));
		expect(new Set(all.map(({ newest }) => newest.certificate)).size).toBe(1);
		expect(readdirSync(keys)).toEqual(["ca-1.pem"]);
		expect(statSync(join(keys, "ca-1.pem")).mode & 0o777).toBe(0o600);
		expect(statSync(keys).mode & 0o777).toBe(0o700);
		expect(new X509Certificate(all[0]?.newest.certificate as string)).toMatchObject({ ca: true });
	} finally {
		process.umask(before);
	}
});

test("processes that make it at one time have the same one", async () => {
	const program = fileURLToPath(new URL("authority-child.ts", import.meta.url));
	const children = Array.from({ length: 4 }, () => {
		const child = spawn(process.execPath, [program, directory], { stdio: ["pipe", "pipe", "inherit"] });
		return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
	});
	for (const { lines } of children) expect((await lines.next()).value).toBe("ready");
	for (const { child } of children) child.stdin.write("now\n");
	const found = await Promise.all(children.map(async ({ lines }) => (await lines.next()).value));
	await Promise.all(children.map(({ child }) => child.exitCode ?? new Promise((resolve) => child.once("exit", resolve))));
	expect(found[0]).toMatch(/^[0-9A-F:]{95}$/);
	expect(new Set(found).size).toBe(1);
	expect(readdirSync(keys)).toEqual(["ca-1.pem"]);
});

test("one that starts again has the authority of the one before", async () => {
	const first = (await new CertificateAuthority(directory).current()).newest;
	expect((await new CertificateAuthority(directory).current()).newest.certificate).toBe(first.certificate);
});

test("a rotation overlaps: the new one issues for clients, the old one for servers, both are trusted, for as long as a certificate lasts", async () => {
	const authority = new CertificateAuthority(directory);
	const first = (await authority.current()).newest;
	const rotated = await rotateAuthority(directory);
	expect(rotated.id).toBe("2");
	await expect.poll(async () => (await authority.current()).newest.id, { timeout: 5_000 }).toBe("2");
	const { newest, oldest, trusted } = await authority.current();
	expect(oldest.certificate).toBe(first.certificate);
	expect(trusted).toBe(first.certificate + newest.certificate);
	expect(listAuthorities(directory)).toMatchObject([{ id: "2" }, { id: "1", retiredAt: rotated.createdAt }]);
	const client = await issueClientCredentials(authority, { kind: "run", id: "r" }, Date.now() + hour);
	expect(isIssuedBy(client.certificate, newest.certificate)).toBe(true);
	const identity = new ServerIdentity(authority, []);
	expect(isIssuedBy((await identity.current()).certificate, first.certificate)).toBe(true);

	at(rotated.createdAt + day + hour / 2);
	expect((await authority.current()).trusted).toBe(trusted);
	at(rotated.createdAt + day + hour + 1_000);
	expect((await authority.current()).trusted).toBe(newest.certificate);
	expect(isIssuedBy((await identity.current()).certificate, newest.certificate)).toBe(true);
	// The file of one that nothing needs any more goes with the next rotation.
	await rotateAuthority(directory);
	expect(readdirSync(keys).sort()).toEqual(["ca-2.pem", "ca-3.pem"]);
});

test("one whose file the operator removes is trusted no more within a second or so", async () => {
	const authority = new CertificateAuthority(directory);
	const first = (await authority.current()).newest.certificate;
	await rotateAuthority(directory);
	rmSync(join(keys, "ca-1.pem"));
	await expect.poll(async () => (await authority.current()).trusted.includes(first), { timeout: 5_000 }).toBe(false);
});

test("one that is about to expire is followed by another", async () => {
	const authority = new CertificateAuthority(directory);
	const { createdAt } = (await authority.current()).newest;
	at(createdAt + 3_640 * day);
	expect((await authority.current()).newest.id).toBe("2");
});

test("the server's certificate is kept until half of its life is over", async () => {
	const authority = new CertificateAuthority(directory);
	const identity = new ServerIdentity(authority, ["host.example", "192.0.2.1", "2001:db8::1"]);
	const [first, same] = await Promise.all([identity.current(), identity.current()]);
	expect(same).toBe(first);
	const certificate = new X509Certificate(first.certificate);
	for (const name of ["localhost", "host.example"]) expect(certificate.checkHost(name), name).toBe(name);
	for (const address of ["192.0.2.1", "2001:db8::1"]) expect(certificate.checkIP(address), address).toBe(address);
	// Times in certificates are whole seconds.
	expect(Math.floor((certificate.validToDate.getTime() - certificate.validFromDate.getTime()) / 60_000)).toBe(49 * 60);
	const now = Date.now();
	at(now + day - hour);
	expect(await identity.current()).toBe(first);
	at(now + day + 1_000);
	expect(fingerprint((await identity.current()).certificate)).not.toBe(fingerprint(first.certificate));
	// Its key is in no file.
	expect(readdirSync(keys)).toEqual(["ca-1.pem"]);
});

test("a client's certificate is good since an hour, to the deadline of its run and a day at most", async () => {
	const authority = new CertificateAuthority(directory);
	const now = Date.now();
	for (const [deadlineAt, until] of [
		[now + 30_000, now + 30_000],
		[now + 3 * day, now + day],
	] as const) {
		const { certificate } = await issueClientCredentials(authority, { kind: "run", id: "r" }, deadlineAt);
		const { validFromDate, validToDate } = new X509Certificate(certificate);
		expect(Math.abs(validFromDate.getTime() - (now - hour))).toBeLessThan(60_000);
		expect(Math.abs(validToDate.getTime() - until)).toBeLessThan(60_000);
	}
});

test.each([
	["half of it", (text: string) => text.slice(0, text.length / 2)],
	["a key that is none", (text: string) => text.replace(/(?<=PRIVATE KEY-----\n)[^-]+/, "AAAA\n")],
	["the key of another", (text: string) => text.replace(/-----BEGIN PRIVATE.*$/s, anotherKey)],
	["nothing", () => ""],
	["more than it", (text: string) => `${text}x`],
])("a file that is damaged (%s) is told, without what is in it", async (_what, damage) => {
	await new CertificateAuthority(directory).current();
	const file = join(keys, "ca-1.pem");
	const text = readFileSync(file, "utf8");
	writeFileSync(file, damage(text));
	const failure = await new CertificateAuthority(directory).current().catch((error: unknown) => error);
	expect(failure).toMatchObject({
		code: "unavailable",
		message: expect.stringContaining(`${file} of a certificate authority is damaged`),
	});
	expect(JSON.stringify([failure, (failure as Error).message, (failure as Error).cause ?? null])).not.toContain(
		text.slice(-150, -60),
	);
});

test("the certificate of a client in the place of an authority is refused", async () => {
	const { newest } = await new CertificateAuthority(directory).current();
	const { certificate, key } = await issueCertificate(newest, {
		subject: { kind: "run", id: "r" },
		expiresAt: Date.now() + hour,
	});
	writeFileSync(join(keys, "ca-2.pem"), certificate + key, { mode: 0o600 });
	await expect(new CertificateAuthority(directory).current()).rejects.toMatchObject({ code: "unavailable" });
});

test("a link, a directory, and a file that others can read or own are not taken for an authority", async () => {
	const elsewhere = join(directory, "elsewhere.pem");
	const { newest } = await new CertificateAuthority(mkdtempIn(directory)).current();
	writeFileSync(elsewhere, newest.certificate, { mode: 0o600 });
	mkdirSync(keys, { mode: 0o700 });
	const file = join(keys, "ca-1.pem");
	const refusal = () => new CertificateAuthority(directory).current();
	symlinkSync(elsewhere, file);
	await expect(refusal()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("is a symbolic link") });
	rmSync(file);
	mkdirSync(file);
	await expect(refusal()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("is not a file") });
	rmSync(file, { recursive: true });
	await refusal();
	chmodSync(file, 0o640);
	await expect(refusal()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("mode 640") });
});

function mkdtempIn(parent: string): string {
	return mkdtempSync(join(parent, "other-"));
}

test("what is no authority by its name is not read, and a link in the way of a new one is not followed", async () => {
	mkdirSync(keys, { mode: 0o700 });
	const target = join(directory, "target");
	for (const name of ["ca-0.pem", "ca-01.pem", "ca-x.pem", "ca-1.pem.bak"]) writeFileSync(join(keys, name), "no authority");
	symlinkSync(target, join(keys, "ca-1.pem"));
	await expect(rotateAuthority(directory)).rejects.toMatchObject({ code: "unavailable" });
	expect(() => statSync(target)).toThrow();
	rmSync(join(keys, "ca-1.pem"));
	expect((await rotateAuthority(directory)).id).toBe("1");
});
