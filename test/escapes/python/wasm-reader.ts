/** What an attacker reads in CPython's WebAssembly module, which anybody can have. */
export interface ModuleReading {
	/** The parameters of every imported function, by its name. */
	readonly importedParameters: ReadonlyMap<string, readonly ("i32" | "i64" | "f32" | "f64")[]>;
	/** The numbers in the function table of exported functions, by their names. */
	readonly tableNumbers: ReadonlyMap<string, number>;
	/** The addresses of exported variables, by their names. */
	readonly addresses: ReadonlyMap<string, number>;
}

const valueTypes: Readonly<Record<number, "i32" | "i64" | "f32" | "f64">> = { 127: "i32", 126: "i64", 125: "f32", 124: "f64" };

/** Reads the sections of types, imports, globals, exports and elements. */
export function readModule(bytes: Uint8Array): ModuleReading {
	let at = 8;
	const number = (): number => {
		let value = 0;
		for (let shift = 0; ; shift += 7) {
			const byte = bytes[at++] as number;
			value += (byte & 0x7f) * 2 ** shift;
			if (byte < 0x80) return value;
		}
	};
	const name = (): string => {
		const length = number();
		at += length;
		return Buffer.from(bytes.subarray(at - length, at)).toString("utf8");
	};
	const list = <T>(item: () => T): T[] => Array.from({ length: number() }, item);
	const limits = (): void => {
		if (bytes[at++]) number();
		number();
	};
	/** `i32.const`, `end`. */
	const offset = (): number => {
		at++;
		const value = number();
		at++;
		return value;
	};
	let types: readonly (readonly ("i32" | "i64" | "f32" | "f64")[])[] = [];
	const importedParameters = new Map<string, readonly ("i32" | "i64" | "f32" | "f64")[]>();
	const functionsByName = new Map<string, number>();
	const globalsByName = new Map<string, number>();
	const numbersByFunction = new Map<number, number>();
	/** Initial values. Those that are imported come first, and have none. */
	const globals: (number | undefined)[] = [];
	const readers: Readonly<Record<number, () => void>> = {
		1: () => {
			types = list(() => {
				at++;
				const parameters = list(() => valueTypes[bytes[at++] as number] ?? "i32");
				list(() => at++);
				return parameters;
			});
		},
		2: () => {
			list(() => {
				name();
				const imported = name();
				const kind = bytes[at++];
				if (kind === 0) importedParameters.set(imported, types[number()] ?? []);
				else if (kind === 1) {
					at++;
					limits();
				} else if (kind === 2) limits();
				else {
					at += 2;
					if (kind === 3) globals.push(undefined);
				}
			});
		},
		6: () => {
			list(() => {
				at += 2;
				globals.push(offset());
			});
		},
		7: () => {
			list(() => {
				const exported = name();
				const kind = bytes[at++];
				const index = number();
				if (kind === 0) functionsByName.set(exported, index);
				if (kind === 3) globalsByName.set(exported, index);
			});
		},
		9: () => {
			list(() => {
				if (number() !== 0) throw new Error("An element segment of another kind.");
				let place = offset();
				for (const index of list(number)) numbersByFunction.set(index, place++);
			});
		},
	};
	while (at < bytes.length) {
		const id = bytes[at++] as number;
		const length = number();
		const end = at + length;
		readers[id]?.();
		at = end;
	}
	const addresses = new Map<string, number>();
	for (const [exported, index] of globalsByName) {
		const address = globals[index];
		if (address !== undefined) addresses.set(exported, address);
	}
	const tableNumbers = new Map<string, number>();
	for (const [exported, index] of functionsByName) {
		const place = numbersByFunction.get(index);
		if (place !== undefined) tableNumbers.set(exported, place);
	}
	return { importedParameters, tableNumbers, addresses };
}
