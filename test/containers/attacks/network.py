import threading


def connect(address, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    def run():
        with socket.socket(family, kind) as one:
            one.settimeout(2)
            one.connect(address)
            if kind == socket.SOCK_DGRAM:
                one.send(b"x")
        return "done"
    return run


for name, host in (("the metadata address", "169.254.169.254"), ("a gateway", "172.17.0.1"), ("another gateway", "10.88.0.1"), ("the internet", "192.0.2.1")):
    attempt(f"{name}, TCP", connect((host, 80)))
    attempt(f"{name}, UDP", connect((host, 53), kind=socket.SOCK_DGRAM))
for address in sys.argv[2:]:
    attempt("the machine", connect((address, int(sys.argv[1]))))
# A listener of the machine waits there.
attempt("loopback of the machine", connect(("127.0.0.1", int(sys.argv[1]))))
attempt("IPv6", connect(("2001:db8::1", 80), socket.AF_INET6))
attempt("link-local", connect(("fe80::1", 80, 0, 1), socket.AF_INET6))
attempt("multicast", connect(("224.0.0.1", 80), kind=socket.SOCK_DGRAM))
attempt("DNS", lambda: socket.getaddrinfo("example.org", 80) and "done")
attempt("interfaces", lambda: sorted(name for _, name in socket.if_nameindex()))
attempt("routes", lambda: [line.split()[0] for line in open("/proc/net/route").read().splitlines()[1:]])


def abstract():
    """Those of the machine's network namespace would be in this list, and could be connected to."""
    return [line.split()[-1] for line in open("/proc/net/unix").read().splitlines()[1:] if "@" in line.split()[-1]]


attempt("abstract sockets", abstract)
attempt("the test's abstract socket", connect("\0cronium-test-abstract", socket.AF_UNIX))
attempt("vsock to the machine's host", connect((2, 1024), getattr(socket, "AF_VSOCK", 40)))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM, 0))
attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("packet socket", lambda: socket.socket(17, socket.SOCK_RAW, 3))
for name, family in (("alg", 38), ("bluetooth", 31), ("can", 29), ("tipc", 30), ("rds", 21), ("xdp", 44), ("x25", 9), ("appletalk", 5), ("kcm", 41), ("qipcrtr", 42), ("smc", 43)):
    attempt(f"{name} socket", lambda family=family: socket.socket(family, socket.SOCK_DGRAM, 0))


def netlink_set_link():
    """RTM_NEWLINK: a new interface."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.bind((0, 0))
        link.settimeout(2)
        attribute = struct.pack("HH", 8, 3) + b"br0\0"
        body = struct.pack("BxHiII", 0, 0, 0, 0, 0) + attribute
        link.send(struct.pack("IHHII", 16 + len(body), 16, 0x605, 1, 0) + body)
        code = struct.unpack_from("i", link.recv(4096), 16)[0]
        if code:
            raise OSError(-code, "")
        return "done"


attempt("netlink: a new interface", netlink_set_link)
attempt("netlink: the kernel's events", lambda: socket.socket(16, socket.SOCK_RAW, 15).bind((0, 1)))
attempt("netlink: audit", lambda: socket.socket(16, socket.SOCK_RAW, 9).send(struct.pack("IHHII", 16, 1005, 5, 1, 0)))
finish()
