import { openLmdbStore } from "../../host/store/lmdb-store.ts";
import { temporaryDirectory } from "./directory.ts";
import { openRemoteStore } from "./remote-store.ts";
import { describeStore } from "./store-conformance.ts";

describeStore("embedded store", async (settings) => {
	const directory = temporaryDirectory();
	const store = await openLmdbStore({ directory: directory.path, ...settings });
	return {
		store,
		async dispose() {
			await store.close();
			directory.remove();
		},
	};
});

describeStore("embedded store, from a worker thread", async (settings) => {
	const directory = temporaryDirectory();
	const main = await openLmdbStore({ directory: directory.path, ...settings });
	const remote = openRemoteStore(main.connect());
	return {
		store: remote.store,
		async dispose() {
			await remote.dispose();
			await main.close();
			directory.remove();
		},
	};
});
