import { imageReference } from "../../images/images.ts";
import type { ScriptLanguage } from "../../script-language.ts";

/** The images of scripts that name none. `cronium images build` makes them. */
export const languageImages: Readonly<Record<ScriptLanguage, string>> = {
	javascript: imageReference("node"),
	typescript: imageReference("node"),
	python: imageReference("python"),
	bash: imageReference("bash"),
};
