// Added to the declarations of the module "cronium" when the package is built.

/** Settings of a client; what is not given comes from the environment. */
export interface ClientOptions {
	/** The runtime API, `https://host:port`. */
	readonly url?: string;
	/** The Unix socket of a sidecar, an agent or a tunnel. */
	readonly socket?: string;
	readonly token?: string;
	/** A file with the token; it is read again when the token is refused. */
	readonly tokenFile?: string;
	/** Files with the issuer of the server's certificate, and the client's own certificate and key (PEM). */
	readonly caCert?: string;
	readonly clientCert?: string;
	readonly clientKey?: string;
	/** Longest time for one answer, in milliseconds; 30,000 when not given. */
	readonly timeoutMs?: number;
}

/** The helpers of one run, over one connection. */
export type Client = Omit<typeof cronium, "RuntimeError"> & {
	/** Closes the connections. Without it they close with the process. */
	close(): void;
};

/**
 * Connects to the runtime: by the options, else by the environment (`CRONIUM_SOCKET`, `CRONIUM_API_URL`, …), else to the stub. Throws a RuntimeError
 * `invalid`, naming what is missing, when the settings are not complete.
 *
 * @example
 * const client = createClient({ url: "https://cronium.example:8443", token });
 * await client.setVariable("seen", true);
 * client.close();
 */
export function createClient(options?: ClientOptions): Client;
