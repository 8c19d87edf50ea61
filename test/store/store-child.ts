// A store in a process of its own, driven through messages: { id, method, argument } gets { id, result } or { id, error }.
import { openLmdbStore } from "../../host/store/lmdb-store.ts";
import type { Store } from "../../host/store/store.ts";

interface Request {
	readonly id: number;
	readonly method: "open" | "get" | "list" | "commit" | "commitAll" | "close";
	readonly argument: unknown;
}

let store: Store | undefined;

process.on("message", async ({ id, method, argument }: Request) => {
	try {
		process.send?.({ id, result: await run(method, argument) });
	} catch (error) {
		const { code, message } = error as Error & { code?: string };
		process.send?.({ id, error: { code, message } });
	}
});

async function run(method: Request["method"], argument: unknown): Promise<unknown> {
	if (method === "open") {
		store = await openLmdbStore(argument as Parameters<typeof openLmdbStore>[0]);
		return undefined;
	}
	if (store === undefined) throw new Error("not open");
	if (method === "commitAll") {
		const results = await Promise.allSettled(
			(argument as Parameters<Store["commit"]>[0][]).map((one) => (store as Store).commit(one)),
		);
		return results.map((result) =>
			result.status === "fulfilled" ? result.value : { code: result.reason.code, message: result.reason.message },
		);
	}
	if (method === "close") {
		await store.close();
		return undefined;
	}
	return (store[method] as (argument: unknown) => unknown)(argument);
}
