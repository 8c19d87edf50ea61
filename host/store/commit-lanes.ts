const compactAt = 1_024;

/** What one client has posted for one account. */
interface Queue<Client> {
	readonly client: Client;
	messages: Buffer[];
	/** How many of them are taken. */
	taken: number;
}

interface Lane<Client> {
	readonly name: string;
	readonly queues: Map<Client, Queue<Client>>;
	/** In whose turn it is. */
	readonly turns: Queue<Client>[];
}

/**
 * What waits for the writer. Accounts take turns, and inside an account its clients: however much one of them posts, from however many
 * threads, each of the others gets its share. What a client posts for one account stays in order.
 */
export class CommitLanes<Client> {
	readonly #lanes = new Map<string, Lane<Client>>();
	#turns: Lane<Client>[] = [];

	get isEmpty(): boolean {
		return this.#turns.length === 0;
	}

	/** `name` is that of the account. */
	add(name: string, client: Client, message: Buffer): void {
		let lane = this.#lanes.get(name);
		if (!lane) {
			lane = { name, queues: new Map(), turns: [] };
			this.#lanes.set(name, lane);
			this.#turns.push(lane);
		}
		const queue = lane.queues.get(client);
		if (queue) {
			queue.messages.push(message);
			return;
		}
		const first = { client, messages: [message], taken: 0 };
		lane.queues.set(client, first);
		lane.turns.push(first);
	}

	/** Takes the message whose turn it is. */
	next(): { readonly client: Client; readonly message: Buffer } | undefined {
		const lane = this.#turns.shift();
		const queue = lane?.turns.shift();
		if (!lane || !queue) return undefined;
		const message = queue.messages[queue.taken++] as Buffer;
		// A queue that is never empty must not keep what was taken long ago.
		if (queue.taken === compactAt) {
			queue.messages = queue.messages.slice(compactAt);
			queue.taken = 0;
		}
		if (queue.taken < queue.messages.length) lane.turns.push(queue);
		else lane.queues.delete(queue.client);
		if (lane.turns.length > 0) this.#turns.push(lane);
		else this.#lanes.delete(lane.name);
		return { client: queue.client, message };
	}

	/** Forgets what the client has posted. */
	drop(client: Client): void {
		for (const lane of this.#lanes.values()) {
			const queue = lane.queues.get(client);
			if (!queue) continue;
			lane.queues.delete(client);
			lane.turns.splice(lane.turns.indexOf(queue), 1);
			if (lane.turns.length === 0) this.#lanes.delete(lane.name);
		}
		this.#turns = this.#turns.filter(({ turns }) => turns.length > 0);
	}
}
