import { type Connection, readFile, readToken } from "./connection.ts";

/** Asks for a new token with the old one. */
export type Renew = (token: string) => Promise<string>;

/** A token is renewed when less of its lifetime is left than this part. */
const renewalPart = 0.25;
/** A renewal that failed is tried again after this time. */
const retryMs = 5_000;
/** So old a token is at most that has just been made: it says so in whole seconds. */
const justMadeMs = 1_000;

/** The execution token of a client: renewed before it expires, also while nobody calls, and kept in memory only. */
export class Credential {
	readonly #file: Connection["tokenFile"];
	readonly #renew: Renew;
	#token: string;
	#renewAt = Number.POSITIVE_INFINITY;
	#expiresAt = Number.POSITIVE_INFINITY;
	#renewing: Promise<void> | undefined;
	#timer: NodeJS.Timeout | undefined;

	constructor({ token, tokenFile }: Pick<Connection, "token" | "tokenFile">, renew: Renew) {
		this.#file = tokenFile;
		this.#renew = renew;
		this.#token = token ?? this.#read();
		this.#schedule(Number.POSITIVE_INFINITY);
	}

	/** The token to call with. */
	async current(): Promise<string> {
		if (Date.now() >= this.#renewAt) await this.#renewOnce();
		return this.#token;
	}

	/** After the token was refused: whether there is another one by now, in its file. */
	reload(refused: string): boolean {
		if (this.#token !== refused) return true;
		if (this.#file === undefined) return false;
		const token = this.#read();
		if (token === refused) return false;
		this.#token = token;
		this.#schedule(Number.POSITIVE_INFINITY);
		return true;
	}

	close(): void {
		clearTimeout(this.#timer);
		this.#renewAt = Number.POSITIVE_INFINITY;
	}

	#read(): string {
		const { path, name } = this.#file as NonNullable<Connection["tokenFile"]>;
		return readToken(readFile(path, name), `${name}: ${path}`);
	}

	/** Several calls at one time renew once. A failure is not told: the token may still be good, and the call will say if it is not. */
	#renewOnce(): Promise<void> {
		this.#renewing ??= this.#renew(this.#token)
			.then((token) => readToken(token, "the answer"))
			.then(
				(token) => {
					this.#token = token;
					this.#schedule(justMadeMs);
				},
				() => {
					this.#renewAt = Date.now() + retryMs;
					if (this.#renewAt < this.#expiresAt) this.#wake(retryMs);
				},
			)
			.finally(() => {
				this.#renewing = undefined;
			});
		return this.#renewing;
	}

	/**
	 * By the clock here, which need not be that of the host: a token lasts as long as it says, from when it came. How old it was then is what this clock says, within what can be.
	 */
	#schedule(maxAgeMs: number): void {
		clearTimeout(this.#timer);
		const { iat, exp } = readTimes(this.#token);
		const lifetimeMs = (exp - iat) * 1_000;
		const now = Date.now();
		this.#expiresAt = now - Math.max(0, Math.min(maxAgeMs, now - iat * 1_000)) + lifetimeMs;
		this.#renewAt = this.#expiresAt - lifetimeMs * renewalPart;
		if (Number.isFinite(this.#renewAt)) this.#wake(Math.max(0, this.#renewAt - Date.now()));
		else this.#renewAt = Number.POSITIVE_INFINITY;
	}

	/** A script that waits for longer than its token lasts has a good one afterwards; it does not wait for the timer. */
	#wake(waitMs: number): void {
		this.#timer = setTimeout(() => void this.#renewOnce(), Math.min(waitMs, 2 ** 31 - 1));
		this.#timer.unref?.();
	}
}

/** When a token was made and when it expires, in seconds since the Unix epoch; NaN for one that does not say. */
function readTimes(token: string): { readonly iat: number; readonly exp: number } {
	try {
		const { iat, exp } = JSON.parse(Buffer.from(token.split(".")[1] as string, "base64url").toString()) as Record<
			string,
			unknown
		>;
		return { iat: Number(iat), exp: Number(exp) };
	} catch {
		return { iat: Number.NaN, exp: Number.NaN };
	}
}
