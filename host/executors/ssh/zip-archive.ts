import { crc32 } from "node:zlib";

/** Packs files into a ZIP archive, uncompressed and without times: equal files make equal bytes. */
export function packZip(files: ReadonlyMap<string, Buffer>): Buffer {
	const parts: Buffer[] = [];
	const directory: Buffer[] = [];
	let offset = 0;
	for (const [name, bytes] of files) {
		const path = Buffer.from(name);
		// From "version needed" to "length of the extra field": the same in both places.
		const described = Buffer.alloc(26);
		described.writeUInt16LE(20, 0);
		described.writeUInt16LE(firstDay, 8);
		described.writeUInt32LE(crc32(bytes), 10);
		described.writeUInt32LE(bytes.length, 14);
		described.writeUInt32LE(bytes.length, 18);
		described.writeUInt16LE(path.length, 22);
		const entry = Buffer.alloc(14);
		entry.writeUInt32LE(offset, 10);
		directory.push(Buffer.from("PK\x01\x02\x14\x00"), described, entry, path);
		const local = [Buffer.from("PK\x03\x04"), described, path, bytes];
		parts.push(...local);
		for (const part of local) offset += part.length;
	}
	const listed = Buffer.concat(directory);
	const end = Buffer.alloc(22);
	end.write("PK\x05\x06");
	end.writeUInt16LE(files.size, 8);
	end.writeUInt16LE(files.size, 10);
	end.writeUInt32LE(listed.length, 12);
	end.writeUInt32LE(offset, 16);
	return Buffer.concat([...parts, listed, end]);
}

/** 1 January 1980, before which there is no day in this format. */
const firstDay = 0x21;
