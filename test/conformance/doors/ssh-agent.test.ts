import { test } from "vitest";
import { sshdObstacle } from "../../ssh/sshd.ts";
import { conformance } from "../conformance.ts";
import { sshDoor } from "../ssh-door.ts";

const obstacle = sshdObstacle();
if (obstacle !== undefined) test.skip(`scripts on SSH hosts: ${obstacle}`);
else conformance(sshDoor("agent"));
