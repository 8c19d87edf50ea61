import { readFileSync } from "node:fs";
import Fastify, { type FastifyInstance } from "fastify";

// What the runtime API is compared with: a bare Fastify server with default settings that answers with JSON of 100 bytes, or with the body that it was
// sent. It checks no token and keeps nothing. In a process of its own: `node echo-server.ts HOST:PORT | PATH [CERTIFICATE KEY [ISSUER OF CLIENTS]]`; it ends with its standard input.
const [listen = "", ...tls] = process.argv.slice(2);
const [, host, port] = /^([\d.]+):(\d+)$/.exec(listen) ?? [];
const [cert, key, ca] = tls.map((file) => readFileSync(file));
const server: FastifyInstance = cert
	? Fastify({ https: { cert, key, ...(ca && { ca, requestCert: true }), minVersion: "TLSv1.3" } })
	: Fastify();
const answer = { value: "x".repeat(88) };
server.get("/v1/variables/:key", async () => answer);
server.put("/v1/variables/:key", async (request) => request.body);
console.log(await server.listen(host === undefined ? { path: listen } : { host, port: Number(port) }));
process.stdin.resume().once("end", () => process.exit(0));
