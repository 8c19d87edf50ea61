import type { FastifyInstance } from "fastify";

/** Makes a server ready that listens nowhere itself: it is given its connections (`server.emit("connection", socket)`). */
export async function attachServer(server: FastifyInstance): Promise<void> {
	await server.ready();
	// From here on Node looks for requests that are late.
	wakeServer(server);
}

/** Looks for requests that are late, every second: for a server that is made ready long before it is given a connection. */
export const wakeServer = (server: FastifyInstance): boolean => server.server.emit("listening");

/** Looks for them no more, until it is woken. */
export const restServer = (server: FastifyInstance): void => void server.server.close(() => undefined);

/** Ends such a server: connections that are left are cut. */
export async function endServer(server: FastifyInstance): Promise<void> {
	server.server.closeAllConnections();
	// It has not listened, and says so; what looks for late requests ends.
	await new Promise<void>((resolve) => server.server.close(() => resolve()));
	await server.close();
}
