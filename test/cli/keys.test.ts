import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";
import { createDirectory, cronium } from "./cronium.ts";

test("a certificate authority is rotated, listed beside the keys of tokens, and in the audit log", async () => {
	const data = join(createDirectory(), "data");
	expect(await cronium(["keys", "rotate", "--data", data])).toMatchObject({ code: 0 });
	expect(await cronium(["keys", "rotate", "--authority", "--data", data])).toMatchObject({ code: 0, stdout: "1\n" });
	const running = new CertificateAuthority(data);
	const first = (await running.current()).newest;
	expect(await cronium(["keys", "rotate", "--authority", "--data", data])).toMatchObject({ code: 0, stdout: "2\n" });
	await expect.poll(async () => (await running.current()).newest.id, { timeout: 5_000 }).toBe("2");
	expect((await running.current()).trusted).toContain(first.certificate);
	const { stdout } = await cronium(["keys", "list", "--json", "--data", data]);
	expect(JSON.parse(stdout)).toMatchObject([
		{ kind: "token" },
		{ kind: "authority", id: "2" },
		{ kind: "authority", id: "1", retiredAt: expect.any(String) },
	]);
	expect((await cronium(["keys", "list", "--data", data])).stdout).toMatch(/^KEY +FOR +MADE +RETIRED\n/);
	for (const name of readdirSync(join(data, "keys")).filter((one) => one.startsWith("ca-"))) {
		const secret = readFileSync(join(data, "keys", name), "utf8").split("PRIVATE KEY-----\n")[1] as string;
		expect(stdout).not.toContain(secret.slice(0, 40));
	}
	const audited = await cronium(["audit", "list", "--json", "--data", data]);
	expect(audited.stdout.match(/"rotate-authority"/g)).toHaveLength(2);
});
