import { conformance } from "../conformance.ts";
import { httpDoor } from "../http-door.ts";

// Bash takes such a socket in the containers, the twins of the two SDKs at the local doors.
conformance(httpDoor("HTTP over a Unix socket", { unixSocket: true }, ["JavaScript", "Python"]));
