/** Where the files of Python lie in the guest. */
export const pythonPaths = {
	standardLibrary: "/lib/python314.zip",
	guest: "/lib/cronium-guest",
	sdk: "/lib/cronium-sdk",
} as const;
