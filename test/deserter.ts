/** A script in Python. Leaves, by every way there is, a process behind that closes all it has, and does not hear what can be overheard. */
export const deserter = `
import os, signal, time
for leave in (lambda: None, os.setsid, lambda: (os.setsid(), os.fork() and os._exit(0))):
    if os.fork() == 0:
        leave()
        os.chdir("/")
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        os.closerange(0, 256)
        while True:
            time.sleep(1)
print("left")
`;
