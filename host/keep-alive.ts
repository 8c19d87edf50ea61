/**
 * Keeps the process alive until it is disposed. Threads, ports and sockets of a host do not, so that a program that forgets to dispose one can
 * end; but what somebody waits for must not be cut off by that.
 *
 * @example
 * using _alive = keepAlive();
 * await somethingThatDoesNotKeepTheProcessAlive();
 */
export function keepAlive(): Disposable {
	const timer = setInterval(() => undefined, 0x7fffffff);
	return { [Symbol.dispose]: () => clearInterval(timer) };
}
