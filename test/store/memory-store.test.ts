import { createMemoryStore } from "../../host/store/memory-store.ts";
import { describeStore } from "./store-conformance.ts";

describeStore("memory store", async (settings) => {
	const store = createMemoryStore(settings);
	return { store, dispose: () => store.close() };
});
