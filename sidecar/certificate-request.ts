import { generateKeyPairSync, sign } from "node:crypto";

/** A key (PEM), and the request for a certificate of it (PKCS#10, PEM). */
export interface CertificateRequest {
	readonly key: string;
	readonly request: string;
}

/** `ecdsa-with-SHA256` (RFC 5758). */
const signatureAlgorithm = Buffer.from("300a06082a8648ce3d040302", "hex");
/** Version 0 and a name without parts: whoever certifies the key gives it its name. */
const versionAndName = Buffer.from("0201003000", "hex");
const noAttributes = Buffer.from("a000", "hex");

/** Makes a P-256 key and asks for its certificate (RFC 2986). The key is in nobody else's hands. */
export function createCertificateRequest(): CertificateRequest {
	const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const asked = tagged(0x30, versionAndName, publicKey.export({ type: "spki", format: "der" }), noAttributes);
	// A bit string begins with the number of bits of its last byte that it does not use.
	const signature = tagged(0x03, Buffer.from([0]), sign("sha256", asked, privateKey));
	const request = tagged(0x30, asked, signatureAlgorithm, signature).toString("base64");
	return {
		key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
		request: `-----BEGIN CERTIFICATE REQUEST-----\n${request.replace(/.{64}/g, "$&\n").trimEnd()}\n-----END CERTIFICATE REQUEST-----\n`,
	};
}

/** A value of DER, which is under 64 KiB here. */
function tagged(tag: number, ...contents: readonly Buffer[]): Buffer {
	const content = Buffer.concat(contents);
	const { length } = content;
	const header = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
	return Buffer.concat([Buffer.from(header), content]);
}
