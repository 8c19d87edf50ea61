import packageJson from "../../../package.json" with { type: "json" };
import type { ScriptLanguage } from "../../script-language.ts";

/** The images of scripts that name none. `cronium images build` makes them. */
export const languageImages: Readonly<Record<ScriptLanguage, string>> = {
	javascript: `localhost/cronium/node:${packageJson.version}`,
	typescript: `localhost/cronium/node:${packageJson.version}`,
	python: `localhost/cronium/python:${packageJson.version}`,
	bash: `localhost/cronium/bash:${packageJson.version}`,
};
