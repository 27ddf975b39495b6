#!/usr/bin/env bash
# Rules of nftables that redirect connections of this machine, taken away while such a connection is open: by a table whose nat hook has no
# rule, by a flush of the chain, and by a table whose one rule never matches; each in one transaction.
#
# Versions   nftables 1.0.6, Linux 6.18
# Seen       A nat hook without a rule keeps no connection: with the last redirect expression of the network namespace the kernel stops to
#            translate the connections that stand, and they break, though the chain is still registered (nft list shows it). One redirect
#            that never matches keeps all of them. nft(8) says of nat chains that only the first packet of a connection is looked at, which
#            reads as if what rules decided would outlive them.
# Needs      root, nft, python3, unshare, ip. Fails when any of this has changed.
set -euo pipefail
[ "${1:-}" = inside ] || exec unshare --net "$0" inside
ip link set lo up
seen=$(python3 - <<'PY'
import socket, subprocess, threading, time

def serve():
    listener = socket.create_server(("127.0.0.1", 7450))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=say, args=(connection,), daemon=True).start()

def say(connection):
    try:
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)
    except OSError:
        pass

def load(*rules):
    head = "table inet probe\ndelete table inet probe\n"
    chain = "type nat hook output priority -100; policy accept;"
    text = head + "table inet probe {\n chain output {\n" + "\n".join((chain, *rules)) + "\n }\n}\n"
    subprocess.run(["nft", "-f", "-"], input=text.encode(), check=True)

threading.Thread(target=serve, daemon=True).start()
redirect = "ip daddr 127.9.0.0/16 tcp flags & (fin | syn | rst | ack) == syn redirect to :7450"
ways = {
    "a hook without a rule": lambda: load(),
    "a flushed chain": lambda: subprocess.run(["nft", "flush", "chain", "inet", "probe", "output"], check=True),
    "a redirect that never matches": lambda: load("ip daddr 255.255.255.255 tcp dport 0 redirect to :0"),
    "the same rules again": lambda: load(redirect),
}
for name, take_away in ways.items():
    load(redirect)
    client = socket.create_connection(("127.9.1.1", 80))
    client.settimeout(1)
    client.recv(1)
    take_away()
    end = time.monotonic() + 1.5
    try:
        while time.monotonic() < end:
            if not client.recv(100): raise OSError("it ended")
        print(f"{name}: goes on")
    except OSError:
        print(f"{name}: breaks")
    client.close()
PY
)
printf '%s, Linux %s\n%s\n' "$(nft --version)" "$(uname -r)" "$seen"

expected='a hook without a rule: breaks
a flushed chain: breaks
a redirect that never matches: goes on
the same rules again: goes on'
[ "$seen" = "$expected" ] || { echo "This is not what was seen before" >&2; exit 1; }
