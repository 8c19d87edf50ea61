import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2, { type Connection, type ServerChannel } from "ssh2";
import { fingerprintOf } from "../../host/executors/ssh/host-keys.ts";
import type { SshHost } from "../../host/executors/ssh/ssh-host.ts";
import { testHost } from "./test-host.ts";

/** What a host has that keeps no rules: ssh2 behind its interface. */
export interface LawlessConnection {
	readonly _protocol: {
		channelData(id: number, data: Buffer): void;
		channelExtData(id: number, data: Buffer, type: number): void;
		/** Asks for an answer. */
		ping(): void;
		readonly _packetRW: {
			readonly write: { alloc(bytes: number): Buffer; finalize(packet: Buffer): Buffer; readonly allocStart: number };
		};
		readonly _cipher: { encrypt(packet: Buffer): void };
		readonly _handlers: { GLOBAL_REQUEST(protocol: unknown, name: string, wantsAnswer: boolean, data: unknown): void };
	};
	readonly _sock: Socket;
	readonly _chanMgr: { remove(id: number): void };
	openssh_forwardOutStreamLocal(path: string, opened: (error: Error | undefined, channel: LawlessChannel) => void): void;
}

export interface LawlessChannel {
	readonly incoming: { readonly id: number };
	readonly outgoing: { readonly id: number };
}

export interface HostileBehaviour {
	/** Called with each session that runs a command, which the host was told. */
	readonly onExec?: (channel: ServerChannel & LawlessChannel, connection: LawlessConnection) => void;
	/** Called when it is asked to listen on a socket, or not to any more. */
	readonly onListen?: (name: string, accept: () => void, connection: LawlessConnection) => void;
	/** False: whoever asks for a session waits. */
	readonly takesSessions?: boolean;
}

/** A host that lets everybody log in, and does what it likes then. */
export async function startHostileHost({ onExec, onListen, takesSessions = true }: HostileBehaviour) {
	const directory = mkdtempSync(join(tmpdir(), "hostile-"));
	const keyFile = join(directory, "key");
	const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" });
	writeFileSync(keyFile, key, { mode: 0o600 });
	const connections = new Set<Connection>();
	const server = new ssh2.Server({ hostKeys: [key] }, (connection) => {
		connections.add(connection);
		const lawless = connection as unknown as LawlessConnection;
		connection.on("error", () => {});
		connection.on("authentication", (context) => context.accept());
		connection.on("session", (accept) => {
			if (!takesSessions) return;
			accept().on("exec", (accept) => {
				const channel = accept() as ServerChannel & LawlessChannel;
				channel.on("error", () => {});
				onExec?.(channel, lawless);
			});
		});
		connection.on("request", (accept, _reject, name) => onListen?.(name, accept ?? (() => {}), lawless));
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	const parsed = ssh2.utils.parseKey(key) as ssh2.ParsedKey;
	const host: SshHost = testHost({
		...{ address: "127.0.0.1", port, keyFile },
		account: { name: "runner", uid: 0, home: "/" },
		fingerprint: fingerprintOf(parsed.getPublicSSH()),
	});
	return {
		host,
		/** Its own. */
		key: parsed.getPublicSSH(),
		async [Symbol.asyncDispose](): Promise<void> {
			for (const connection of connections) connection.end();
			await new Promise<void>((resolve) => server.close(() => resolve()));
			rmSync(directory, { recursive: true, force: true });
		},
	};
}

/** Says that the host has this key, too. */
export function announceKey({ _protocol: { _packetRW, _cipher } }: LawlessConnection, key: Buffer): void {
	const { write } = _packetRW;
	const globalRequest = 80;
	const field = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, bytes.length >> 8, bytes.length & 0xff]), bytes]);
	const message = Buffer.concat([
		Buffer.from([globalRequest]),
		field(Buffer.from("hostkeys-00@openssh.com")),
		Buffer.from([0]),
		field(key),
	]);
	const packet = write.alloc(message.length);
	message.copy(packet, write.allocStart);
	_cipher.encrypt(write.finalize(packet));
}
