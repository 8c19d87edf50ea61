import { createHash } from "node:crypto";
import { RuntimeError } from "../../contract/errors.ts";
import { excerpt } from "../../contract/excerpt.ts";

interface FirstRequest {
	readonly fingerprint: string;
	readonly answer: Promise<string>;
}

/** The keys that are remembered; the oldest go first. They are those of this process: a host that starts again has forgotten them. */
const maxKeys = 10_000;

/** Answers a request that is repeated with the same idempotency key as it was answered first, and does not do it again. */
export class RepeatedRequests {
	readonly #first = new Map<string, FirstRequest>();

	/**
	 * Does the request, unless it has been done, or is being done, under this key. Rejects with `idempotency-mismatch` when the key stands for another
	 * body. A request that failed leaves its key free.
	 */
	async once(key: string | string[] | undefined, body: string, act: () => Promise<string>): Promise<string> {
		if (key === undefined) return await act();
		const name = String(key);
		const fingerprint = createHash("sha256").update(body).digest("base64");
		const known = this.#first.get(name);
		if (known) {
			if (known.fingerprint === fingerprint) return await known.answer;
			throw new RuntimeError("idempotency-mismatch", `The idempotency key ${excerpt(name)} was used before with another body.`);
		}
		const answer = act();
		this.#first.set(name, { fingerprint, answer });
		for (const oldest of this.#first.keys()) {
			if (this.#first.size <= maxKeys) break;
			this.#first.delete(oldest);
		}
		answer.catch(() => this.#first.delete(name));
		return await answer;
	}
}
