/** What is measured of a peer, in its own best way of doing it. */
export interface Peer extends AsyncDisposable {
	readonly name: string;
	/** Runs a small script in a fresh isolated context; resolves with the microseconds until its result is back. Cleaning up is not counted. */
	start(): Promise<number>;
	/** Nanoseconds of one call of an empty host function, on average over `calls` calls in a guest loop. Absent where a peer has no such thing. */
	callHost?(calls: number): Promise<number>;
}

export interface PeerSetup {
	/** Evaluated in every fresh context before the script, where the peer can. */
	readonly prelude: string;
}

/** Each file of this directory that `openPeers` lists exports `open`. Rejects when the peer does not work here. */
export type OpenPeer = (setup: PeerSetup) => Promise<Peer>;

/** Throws when a peer did not compute what it should have: its time would mean nothing. */
export function requireResult(name: string, result: unknown): void {
	if (result !== "42") throw new Error(`${name} answered ${JSON.stringify(result)} instead of "42"`);
}

/** The script of the comparison, as an expression whose value is JSON text. */
export const expression = "JSON.stringify([6].map((n) => n * 7)[0])";
