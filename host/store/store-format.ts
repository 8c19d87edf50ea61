import { RuntimeError } from "../contract/errors.ts";
import { formatVersion, metaKeys, oldestFormatVersion, type Tree, type WritableTree } from "./tree.ts";

/**
 * Refuses a store whose layout this version does not know: `unsupported` for a newer or an older one, `internal` for a damaged record.
 * A new store has none; `record` writes it then.
 */
export function requireFormat(tree: Tree | WritableTree, record: boolean): void {
	const text = tree.get(metaKeys.format, (value) => value.toString("latin1", 0, value.length));
	if (text === undefined) {
		if (record) (tree as WritableTree).put(metaKeys.format, Buffer.from(String(formatVersion)));
		return;
	}
	const version = Number(text);
	if (!Number.isSafeInteger(version) || version < 1) throw new RuntimeError("internal", "The store's format version is damaged.");
	if (version < oldestFormatVersion)
		throw new RuntimeError(
			"unsupported",
			`The store has format ${version}; this version of Cronium reads formats from ${oldestFormatVersion} on. Use the version that wrote it, or another data directory.`,
		);
	if (version > formatVersion)
		throw new RuntimeError(
			"unsupported",
			`The store has format ${version}; this version of Cronium knows formats up to ${formatVersion}. Use the version that wrote it, or a newer one.`,
		);
}
