import { clientNetwork } from "../host/http/client-address.ts";
import { type HandshakeLane, HandshakeTurns } from "./handshake-turns.ts";

/** A lane for each address from which connections come, as long as some wait there: addresses take turns, and one that floods does not keep the others waiting. */
export class AddressLanes implements HandshakeLane {
	readonly #turns: HandshakeTurns;
	readonly #perSecond: number;
	readonly #lanes = new Map<string, { readonly lane: HandshakeLane; waiting: number }>();

	/** @param perSecond of all addresses together */
	constructor(perSecond: number) {
		this.#turns = new HandshakeTurns(perSecond);
		this.#perSecond = perSecond;
	}

	add(begin: () => void, address = ""): () => void {
		const network = clientNetwork(address);
		const known = this.#lanes.get(network) ?? { lane: this.#turns.open(this.#perSecond), waiting: 0 };
		this.#lanes.set(network, known);
		known.waiting++;
		let isWaiting = true;
		const leave = (): void => {
			if (!isWaiting) return;
			isWaiting = false;
			if (--known.waiting > 0) return;
			this.#lanes.delete(network);
			known.lane[Symbol.dispose]();
		};
		const takeBack = known.lane.add(() => {
			leave();
			begin();
		});
		return () => {
			takeBack();
			leave();
		};
	}

	[Symbol.dispose](): void {
		for (const { lane } of this.#lanes.values()) lane[Symbol.dispose]();
		this.#lanes.clear();
	}
}
