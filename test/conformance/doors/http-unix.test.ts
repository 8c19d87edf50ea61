import { conformance } from "../conformance.ts";
import { httpDoor } from "../http-door.ts";

// The other two SDKs open the same connections in other threads and loops, which the local doors try.
conformance(httpDoor("HTTP over a Unix socket", { unixSocket: true }, ["JavaScript", "Python", "Bash"]));
