import { crc32 } from "node:zlib";

/** A ZIP archive whose files are not compressed: a wheel, for one. */
export function storedZip(files: Readonly<Record<string, string>>): Buffer {
	const contents: Buffer[] = [];
	const directory: Buffer[] = [];
	let offset = 0;
	for (const [name, text] of Object.entries(files)) {
		const path = Buffer.from(name);
		const data = Buffer.from(text);
		// Version, flags, method, time, date, checksum, sizes, lengths of the name and of what else there is.
		const described = Buffer.alloc(26);
		described.writeUInt16LE(20, 0);
		described.writeUInt16LE(0x21, 8);
		described.writeUInt32LE(crc32(data), 10);
		described.writeUInt32LE(data.length, 14);
		described.writeUInt32LE(data.length, 18);
		described.writeUInt16LE(path.length, 22);
		contents.push(Buffer.from("PK\x03\x04", "latin1"), described, path, data);
		const place = Buffer.alloc(14);
		place.writeUInt32LE(offset, 10);
		directory.push(Buffer.from("PK\x01\x02\x14\x00", "latin1"), described, place, path);
		offset += 30 + path.length + data.length;
	}
	const entries = Buffer.concat(directory);
	const end = Buffer.alloc(22);
	end.write("PK\x05\x06", "latin1");
	end.writeUInt16LE(Object.keys(files).length, 8);
	end.writeUInt16LE(Object.keys(files).length, 10);
	end.writeUInt32LE(entries.length, 12);
	end.writeUInt32LE(offset, 16);
	return Buffer.concat([...contents, entries, end]);
}
