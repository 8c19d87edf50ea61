import type { Socket } from "node:net";
import { RuntimeError } from "../contract/errors.ts";

/** The sockets of one run, those that are idle and those that still connect included: never more than `maximum`, whatever servers and scripts do. */
export class Sockets {
	readonly #maximum: number;
	/** In the order they were taken. */
	readonly #places = new Set<Place>();
	readonly #waiting = new Map<() => void, string>();
	/** How many exchanges each origin is in use by. */
	readonly #uses = new Map<string, number>();

	constructor(maximum: number) {
		this.#maximum = maximum;
	}

	use(origin: string): Disposable {
		this.#uses.set(origin, (this.#uses.get(origin) ?? 0) + 1);
		return {
			[Symbol.dispose]: () => {
				const left = (this.#uses.get(origin) ?? 1) - 1;
				if (left > 0) this.#uses.set(origin, left);
				else this.#leave(origin);
			},
		};
	}

	/** Waits until there is room; the oldest socket of an origin that is not in use makes some. Rejects when nobody uses the origin any more. */
	async take(origin: string): Promise<Place> {
		while (this.#uses.has(origin) && this.#places.size >= this.#maximum) {
			for (const place of this.#places) {
				if (this.#uses.has(place.origin)) continue;
				place.abandon();
				break;
			}
			await new Promise<void>((resolve) => this.#waiting.set(resolve, origin));
		}
		if (!this.#uses.has(origin)) {
			this.#wake();
			throw abandoned();
		}
		const place = new Place(origin, () => {
			this.#places.delete(place);
			this.#wake();
		});
		this.#places.add(place);
		return place;
	}

	/** Ends what still connects, though nobody waits for it: it would hold its place for seconds. */
	#leave(origin: string): void {
		this.#uses.delete(origin);
		for (const place of this.#places) if (place.origin === origin && !place.isConnected) place.abandon();
		for (const [resolve, wanted] of this.#waiting) if (wanted === origin) this.#wake(resolve);
		// An idle socket of this origin may now make room.
		this.#wake();
	}

	#wake(resolve: (() => void) | undefined = this.#waiting.keys().next().value): void {
		if (!resolve) return;
		this.#waiting.delete(resolve);
		resolve();
	}

	close(): void {
		this.#uses.clear();
		for (const place of this.#places) place.abandon();
		for (const resolve of this.#waiting.keys()) this.#wake(resolve);
	}
}

/** The place of one socket among those that a run may have. */
export class Place {
	readonly origin: string;
	readonly #onRelease: () => void;
	#socket: Socket | undefined;
	#isConnected = false;
	isAbandoned = false;

	constructor(origin: string, onRelease: () => void) {
		this.origin = origin;
		this.#onRelease = onRelease;
	}

	connecting(socket: Socket): void {
		this.#socket = socket;
		if (this.isAbandoned) socket.destroy(abandoned());
	}

	connected(socket: Socket): void {
		this.#isConnected = true;
		if (socket.closed) this.release();
		else socket.once("close", () => this.release());
	}

	/** Closes the socket. One that still connects gets an error, else the connector would wait for it. */
	abandon(): void {
		this.isAbandoned = true;
		this.#socket?.destroy(this.#isConnected ? undefined : abandoned());
	}

	get isConnected(): boolean {
		return this.#isConnected;
	}

	release(): void {
		this.#onRelease();
	}
}

const abandoned = (): RuntimeError => new RuntimeError("cancelled", "Nobody waits for this connection any more.");
