import { X509Certificate } from "node:crypto";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";

// Waits for a line, so that several begin at one time, and says which authority it then has.
await import("../../sidecar/x509.ts").then(({ loadX509 }) => loadX509());
process.stdout.write("ready\n");
process.stdin.once("data", async () => {
	const { newest } = await new CertificateAuthority(process.argv[2] as string).current();
	process.stdout.write(`${new X509Certificate(newest.certificate).fingerprint256}\n`);
	process.stdin.destroy();
});
