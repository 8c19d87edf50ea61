import { Agent, request } from "node:http";
import { createInterface } from "node:readline";

// Calls getVariable as a script does, by the SDK or by a client that an author would write: `node javascript.ts SDK`, settings in the environment.
// For each line `sdk COUNT` or `raw COUNT` it makes so many calls, one after the other, and writes their microseconds as a JSON list.
const [file = ""] = process.argv.slice(2);
const { getVariable } = (await import(file)) as { readonly getVariable: (key: string) => Promise<unknown> };
const { CRONIUM_API_URL: url = "", CRONIUM_EXECUTION_TOKEN: token = "" } = process.env;
const agent = new Agent({ keepAlive: true });

function getRaw(key: string): Promise<unknown> {
	return new Promise((resolve, reject) => {
		const sent = request(
			`${url}/v1/variables/${encodeURIComponent(key)}`,
			{ agent, headers: { Authorization: `Bearer ${token}` } },
			(response) => {
				let text = "";
				response.setEncoding("utf8");
				response.on("data", (chunk: string) => {
					text += chunk;
				});
				response.on("end", () => resolve(JSON.parse(text)));
				response.on("error", reject);
			},
		);
		sent.on("error", reject);
		sent.end();
	});
}

for await (const line of createInterface({ input: process.stdin })) {
	const [kind, count] = line.split(" ");
	const get = kind === "sdk" ? getVariable : getRaw;
	const took: number[] = [];
	for (let call = 0; call < Number(count); call++) {
		const started = performance.now();
		const value = (await get("key")) as string;
		took.push((performance.now() - started) * 1_000);
		if (value.length !== 98) throw new Error(`getVariable answered ${value}.`);
	}
	console.log(JSON.stringify(took));
}
process.exit(0);
