import { loadCrypto } from "../crypto.ts";

/** An entry of the audit log as it is stored and exported, its code left out. */
export interface AuditRecord {
	/** The host process whose chain it is in. */
	readonly host: string;
	/** 1 for the first entry of the chain. */
	readonly sequence: number;
	/** When it was written down, in RFC 3339. */
	readonly at: string;
	/** The code of the entry before it in the chain; null for the first. */
	readonly previous: string | null;
	/** What happened. */
	readonly entry: Readonly<Record<string, unknown>>;
}

/** Bytes of the key that entries are authenticated with. */
export const auditKeyBytes = 32;

const macStart = ',"mac":"';
const macEnd = '"}';
/** HMAC-SHA256 in base64url. */
const macCharacters = 43;
const sealCharacters = macStart.length + macCharacters + macEnd.length;
/** Nothing else that is ever authenticated with the key begins with this. */
const purpose = "cronium audit entry 1\n";

/** The stored text of an entry: JSON whose last member `mac` is the HMAC-SHA256 of all before it. */
export function sealEntry(key: Buffer, record: AuditRecord): { readonly text: string; readonly mac: string } {
	const body = JSON.stringify(record).slice(0, -1);
	const mac = macOf(key, body);
	return { text: `${body}${macStart}${mac}${macEnd}`, mac };
}

/** What `sealEntry` made, or undefined for what cannot be its text. `isSealed` tells whether its code is right. */
export function openEntry(text: string): (AuditRecord & { readonly mac: string }) | undefined {
	try {
		const record = JSON.parse(text) as AuditRecord & { readonly mac: string };
		return typeof record.entry === "object" && record.entry !== null && typeof record.mac === "string" ? record : undefined;
	} catch {
		return undefined;
	}
}

export function isSealed(key: Buffer, text: string): boolean {
	const body = text.slice(0, -sealCharacters);
	const expected = Buffer.from(`${body}${macStart}${macOf(key, body)}${macEnd}`);
	const found = Buffer.from(text);
	return found.length === expected.length && loadCrypto().timingSafeEqual(found, expected);
}

/** Tells keys apart without telling anything of them. */
export function auditKeyId(key: Buffer): string {
	return loadCrypto().createHmac("sha256", key).update("cronium audit key id\n").digest("base64url").slice(0, 16);
}

function macOf(key: Buffer, body: string): string {
	return loadCrypto().createHmac("sha256", key).update(purpose).update(body).digest("base64url");
}
