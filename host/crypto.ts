/** `node:crypto`, loaded by its first use: it takes 10 ms of a thread that is starting, and most scripts end without it. */
export const loadCrypto = (): typeof import("node:crypto") => process.getBuiltinModule("node:crypto");
