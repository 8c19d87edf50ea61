import { RuntimeError } from "../host/contract/errors.ts";
import { readAddress } from "./sidecar-credentials.ts";

/** What an agent needs to join: where, whom to trust there, and the secret of the invitation. */
export interface JoinToken {
	/** `host:port`. */
	readonly address: string;
	/** Certificates of the authorities by which the agent recognises the host (PEM). */
	readonly trusted: string;
	readonly secret: string;
}

const prefix = "cronium-join-1.";
const maxCharacters = 64 * 1024;

/** One line of text. */
export function formatJoinToken({ address, trusted, secret }: JoinToken): string {
	return prefix + Buffer.from(JSON.stringify({ address, trusted, secret })).toString("base64url");
}

/** Throws `invalid`, and never says what is in it. */
export function readJoinToken(text: string): JoinToken {
	const line = text.trim();
	if (!line.startsWith(prefix) || line.length > maxCharacters)
		throw new RuntimeError("invalid", `This is not a join token: one begins with ${prefix}, and is one line.`);
	let members: Partial<Record<keyof JoinToken, unknown>>;
	try {
		members = JSON.parse(Buffer.from(line.slice(prefix.length), "base64url").toString()) as typeof members;
	} catch {
		throw new RuntimeError("invalid", "The join token is damaged; it has to be given as it was printed.");
	}
	const { address, trusted, secret } = members;
	if (typeof address !== "string" || typeof trusted !== "string" || typeof secret !== "string")
		throw new RuntimeError("invalid", "The join token is damaged; it has to be given as it was printed.");
	readAddress(address);
	return { address, trusted, secret };
}
