/** Of Node: room for new objects, 4 MB a semi-space, so that a process or a thread that loads the program has no garbage to look for meanwhile. */
export const roomForStart = "--min-semi-space-size=4";
