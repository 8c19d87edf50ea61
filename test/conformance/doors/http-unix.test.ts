import { conformance } from "../conformance.ts";
import { httpDoor } from "../http-door.ts";

// Bash, and the other two SDKs, take such a socket in the containers and at the local doors.
conformance(httpDoor("HTTP over a Unix socket", { unixSocket: true }, ["JavaScript", "Python"]));
