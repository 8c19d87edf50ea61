import { randomBytes } from "node:crypto";
import { errors, jwtVerify, SignJWT } from "jose";
import { RuntimeError } from "../contract/errors.ts";
import { excerpt } from "../contract/excerpt.ts";
import type { Scope } from "../contract/generated/types.ts";
import type { Limits } from "../contract/limits.ts";
import type { ServedRun } from "../executors/served-runs.ts";
import { canonicalAddress } from "../http/client-address.ts";
import { type KeyRing, tokenAlgorithm } from "./key-ring.ts";

/** The doors that a token can be for. One for one door is refused at the others. */
export const audiences = ["bridge", "sidecar", "tunnel", "agent"] as const;
export type Audience = (typeof audiences)[number];

/** What a token is to be good for. */
export interface TokenTerms {
	readonly audience: Audience;
	/** Of the run's scopes; all of them when not given. */
	readonly scopes?: readonly Scope[];
	/** The host's `tokenLifetimeMs` when not given; never longer than the run. */
	readonly lifetimeMs?: number;
	/** SHA-256 of the client certificate that the token is bound to, base64url (RFC 8705). */
	readonly certificateThumbprint?: string;
	/** The only address that it may come from. */
	readonly address?: string;
	/** The agent whose channel it may come through. An agent's certificate is renewed, its id is not. */
	readonly agent?: string;
}

/** What a door has found out of whoever shows a token, by itself. */
export interface TokenProof {
	/** Of the client certificate that was verified on the connection. */
	readonly certificateThumbprint?: string | undefined;
	readonly address?: string | undefined;
	/** Of the certificate of the channel. */
	readonly agent?: string | undefined;
}

/** A token as its holder gets it. */
export interface IssuedToken {
	readonly token: string;
	/** Its `jti`, by which it can be revoked. */
	readonly id: string;
	/** Milliseconds since the Unix epoch. */
	readonly expiresAt: number;
}

/** A token that was verified: who holds it, and what for. */
export interface VerifiedToken {
	readonly run: ServedRun;
	readonly id: string;
	readonly scopes: readonly Scope[];
	/** Of the client certificate that it is bound to; undefined when it is bound to none. */
	readonly certificateThumbprint: string | undefined;
	/** The agent that it is bound to; undefined when it is bound to none. */
	readonly agent: string | undefined;
}

/** What is known of a token while its run is under way. */
interface LiveToken extends VerifiedToken {
	/** The id of the token that it was renewed from, first of all: whoever made that one knows no other. */
	readonly family: string;
	readonly audience: Audience;
	readonly lifetimeMs: number;
	readonly address: string | undefined;
	/** The text as it was made; undefined until then. */
	text: string | undefined;
	expiresAt: number;
}

const tokenType = "cronium-execution+jwt";
const issuer = "urn:cronium:runtime";
/** A token that was renewed stays good for so long: calls under way carry it. */
const overlapMs = 30_000;
const maxTokensOfRun = 64;
const maxTokenCharacters = 4_096;

/**
 * The execution tokens of one process (RFC 7519, by the rules of RFC 8725). The signature says that this host made a token; what it is worth is
 * kept here with its run, so that the end of the run, a revocation or a renewal counts at once, and a token is verified once.
 */
export class ExecutionTokens {
	readonly #keys: KeyRing;
	readonly #limits: Pick<Limits, "tokenLifetimeMs">;
	readonly #findRun: (id: string) => ServedRun | undefined;
	readonly #byRun = new WeakMap<ServedRun, Map<string, LiveToken>>();
	/** Tokens whose signature was verified, by their text. */
	readonly #verified = new Map<string, LiveToken>();

	constructor(keys: KeyRing, limits: Pick<Limits, "tokenLifetimeMs">, findRun: (id: string) => ServedRun | undefined) {
		this.#keys = keys;
		this.#limits = limits;
		this.#findRun = findRun;
	}

	/**
	 * Makes a token for a run that is under way. Throws `denied` for scopes that the run does not have, `cancelled` when the run has ended,
	 * `rate-limited` when it has 64 tokens that are good.
	 */
	issue(run: ServedRun, terms: TokenTerms): Promise<IssuedToken> {
		return this.#issue(run, terms);
	}

	async #issue(run: ServedRun, terms: TokenTerms, family?: string): Promise<IssuedToken> {
		if (run.ended.aborted) throw new RuntimeError("cancelled", "The run has ended.");
		const { execution } = run;
		const scopes = terms.scopes ?? execution.scopes;
		const missing = scopes.find((scope) => !execution.scopes.includes(scope));
		if (missing !== undefined) throw new RuntimeError("denied", `The run does not have the scope ${missing}.`);
		const tokens = this.#tokensOf(run);
		const now = Date.now();
		for (const [id, token] of tokens) if (token.expiresAt <= now) this.#forget(tokens, id);
		if (tokens.size >= maxTokensOfRun)
			throw new RuntimeError(
				"rate-limited",
				`This run has ${tokens.size} tokens that are good; the limit is ${maxTokensOfRun}.`,
				{
					retryAfterMs: overlapMs,
				},
			);
		const lifetimeMs = terms.lifetimeMs ?? this.#limits.tokenLifetimeMs;
		const id = randomBytes(16).toString("base64url");
		// To the second, as its holder reads it.
		const expiresAt = Math.ceil(Math.min(now + lifetimeMs, execution.deadlineAt) / 1_000) * 1_000;
		const live: LiveToken = {
			run,
			id,
			family: family ?? id,
			scopes,
			audience: terms.audience,
			lifetimeMs,
			certificateThumbprint: terms.certificateThumbprint,
			address: terms.address === undefined ? undefined : canonicalAddress(terms.address),
			agent: terms.agent,
			text: undefined,
			expiresAt,
		};
		// Its place is taken before anything is waited for.
		tokens.set(id, live);
		try {
			live.text = await this.#sign(live, now);
		} catch (error) {
			this.#forget(tokens, id);
			throw error;
		}
		return { token: live.text, id, expiresAt };
	}

	async #sign({ run, id, scopes, audience, certificateThumbprint, expiresAt }: LiveToken, now: number): Promise<string> {
		const key = await this.#keys.signer();
		return await new SignJWT({
			scope: scopes.join(" "),
			...(certificateThumbprint !== undefined && { cnf: { "x5t#S256": certificateThumbprint } }),
		})
			.setProtectedHeader({ alg: tokenAlgorithm, typ: tokenType, kid: key.id })
			.setIssuer(issuer)
			.setAudience(audience)
			.setSubject(run.execution.id)
			.setJti(id)
			.setIssuedAt(Math.floor(now / 1_000))
			.setNotBefore(Math.floor(now / 1_000))
			.setExpirationTime(expiresAt / 1_000)
			.sign(key.privateKey);
	}

	/**
	 * Whose token this is. Answers at once for one that was verified before. Throws `unauthenticated` for everything else than a good token of a run
	 * that is under way, for this audience, shown with the proof of what it is bound to.
	 */
	identify(text: string, audience: Audience, proof: TokenProof = {}): VerifiedToken | Promise<VerifiedToken> {
		const known = this.#verified.get(text);
		if (known) return requireGood(known, audience, proof);
		return this.#verify(text, audience).then((token) => requireGood(token, audience, proof));
	}

	/** Whether the token was verified before, which costs nothing to find out. */
	isKnown(text: string): boolean {
		return this.#verified.has(text);
	}

	/** Makes a token like the one that was shown; that one stays good for 30 seconds. Throws as `issue`. */
	async renew({ run, id }: VerifiedToken): Promise<IssuedToken> {
		const old = this.#tokensOf(run).get(id);
		if (!old) throw refused("The execution token is not valid.");
		const { audience, scopes, lifetimeMs, certificateThumbprint, address, agent } = old;
		const terms = {
			audience,
			scopes,
			lifetimeMs,
			...(certificateThumbprint !== undefined && { certificateThumbprint }),
			...(address !== undefined && { address }),
			...(agent !== undefined && { agent }),
		};
		const renewed = await this.#issue(run, terms, old.family);
		old.expiresAt = Math.min(old.expiresAt, Date.now() + overlapMs);
		return renewed;
	}

	/** Makes a token of the run worthless now, with all that were renewed from it, or all of the run. Returns how many there were. */
	revoke(run: ServedRun, id?: string): number {
		const tokens = this.#tokensOf(run);
		// The first of a family may have expired.
		const family = id === undefined ? undefined : (tokens.get(id)?.family ?? id);
		const revoked = [...tokens.values()].filter((token) => family === undefined || token.family === family);
		for (const token of revoked) this.#forget(tokens, token.id);
		return revoked.length;
	}

	async #verify(text: string, audience: Audience): Promise<LiveToken> {
		if (text.length > maxTokenCharacters) throw refused("The execution token is too long.");
		let subject: string;
		let id: string;
		try {
			const { payload } = await jwtVerify(
				text,
				async ({ kid }) => {
					const key = typeof kid === "string" ? await this.#keys.find(kid) : undefined;
					if (!key) throw new errors.JWSSignatureVerificationFailed();
					return key;
				},
				{
					algorithms: [tokenAlgorithm],
					typ: tokenType,
					issuer,
					audience,
					requiredClaims: ["sub", "jti", "iat", "nbf", "exp"],
				},
			);
			({ sub: subject = "", jti: id = "" } = payload);
		} catch (cause) {
			if (!(cause instanceof errors.JOSEError)) throw cause;
			// Its signature was verified before: what it says of itself was written here.
			const meant = cause instanceof errors.JWTClaimValidationFailed && cause.claim === "aud" ? cause.payload.aud : undefined;
			if (typeof meant === "string") throw refused(otherDoor(meant, audience), cause);
			const problem =
				cause instanceof errors.JWTExpired ? "The execution token has expired." : "The execution token is not valid.";
			throw refused(problem, cause);
		}
		const run = this.#findRun(subject);
		const token = run && this.#tokensOf(run).get(id);
		if (!token) throw refused("The run of this execution token has ended, or the token was revoked.");
		// One signature has many spellings in base64url: each would take a place of its own among the verified ones.
		if (text !== token.text) throw refused("The execution token is not valid.");
		this.#verified.set(text, token);
		return token;
	}

	#tokensOf(run: ServedRun): Map<string, LiveToken> {
		let tokens = this.#byRun.get(run);
		if (!tokens) {
			const made = new Map<string, LiveToken>();
			run.ended.addEventListener("abort", () => {
				for (const id of [...made.keys()]) this.#forget(made, id);
			});
			this.#byRun.set(run, made);
			tokens = made;
		}
		return tokens;
	}

	#forget(tokens: Map<string, LiveToken>, id: string): void {
		const token = tokens.get(id);
		if (!token) return;
		tokens.delete(id);
		token.expiresAt = 0;
		if (token.text !== undefined) this.#verified.delete(token.text);
	}
}

function requireGood(token: LiveToken, audience: Audience, proof: TokenProof): VerifiedToken {
	if (token.run.ended.aborted) throw refused("The run of this execution token has ended, or the token was revoked.");
	if (token.expiresAt <= Date.now()) throw refused("The execution token has expired.");
	if (token.audience !== audience) throw refused(otherDoor(token.audience, audience));
	if (token.certificateThumbprint !== undefined && token.certificateThumbprint !== proof.certificateThumbprint)
		throw refused("The execution token is bound to a client certificate, which this connection has not shown.");
	if (token.address !== undefined && token.address !== canonicalAddress(proof.address ?? ""))
		throw refused("The execution token is bound to another address than this connection comes from.");
	if (token.agent !== undefined && token.agent !== proof.agent)
		throw refused("The execution token is bound to an agent, whose channel this is not.");
	return token;
}

const otherDoor = (meant: string, audience: Audience): string =>
	`The execution token is for the ${meant} door, and this is the ${audience} door.`;

/** Why a credential was refused. */
function refused(message: string, cause?: unknown): RuntimeError {
	return new RuntimeError("unauthenticated", message, {}, { cause });
}

/** Checks the name of an audience that a caller gave. */
export function requireAudience(audience: unknown): Audience {
	const found = audiences.find((one) => one === audience);
	if (found) return found;
	throw new RuntimeError("invalid", `audience is ${excerpt(String(audience))}; it must be one of ${audiences.join(", ")}.`);
}
