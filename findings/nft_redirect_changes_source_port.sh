#!/usr/bin/env bash
# Five connections from one source port to five addresses, all redirected by one rule of nftables to one port of this machine; and the same
# where the rule names a range of ports.
#
# Versions   nftables 1.0.6, Linux 6.18
# Seen       With one port only the first connection keeps its source port. A redirect is a destination NAT, but where two translated connections
#            would look the same from behind, the kernel gives the later one another source port, chosen by chance. A transparent proxy that looks
#            for the maker of a connection by its addresses (sock_diag, /proc/net/tcp) finds nobody then, or the socket of somebody else.
#            SO_ORIGINAL_DST tells only the destination. With a range each goes to another port of it and keeps its own, in the order of the
#            range; where that is used up it is as before. A filter sees it: `ct status snat`, though no rule asks for source NAT.
# Needs      root, nft, python3, unshare, ip. Fails when any of this has changed.
set -euo pipefail
[ "${1:-}" = inside ] || exec unshare --net "$0" inside
ip link set lo up
seen=$(python3 - <<'PY'
import select, socket, subprocess

def load(to):
    text = f"""table inet probe
delete table inet probe
table inet probe {{
  chain output {{
    type nat hook output priority -100; policy accept;
    ip daddr 127.9.0.0/16 tcp dport 80 redirect to :{to}
  }}
  chain input {{
    type filter hook input priority 0; policy accept;
    tcp flags & (syn | ack) == syn ct status snat counter
  }}
}}
"""
    subprocess.run(["nft", "-f", "-"], input=text.encode(), check=True)

def changed():
    listed = subprocess.run(["nft", "list", "chain", "inet", "probe", "input"], capture_output=True, check=True, text=True).stdout
    return listed.split("packets ")[1].split(" ")[0]

servers = []
for port in range(7001, 7005):
    server = socket.create_server(("127.0.0.1", port))
    servers.append(server)
for source, to in ((41000, "7001"), (42000, "7001-7004")):
    load(to)
    kept, opened = 0, []
    for place in range(1, 6):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("127.0.0.1", source))
        client.connect((f"127.9.0.{place}", 80))
        ready, _, _ = select.select(servers, [], [], 5)
        accepted, (_, port) = ready[0].accept()
        kept += port == source
        opened += [client, accepted]
    print(f"redirect to :{to}: {kept} of 5 keep their port, {changed()} marked snat")
PY
)
echo "$seen"
expected="redirect to :7001: 1 of 5 keep their port, 4 marked snat
redirect to :7001-7004: 4 of 5 keep their port, 1 marked snat"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; echo "$expected"; exit 1; }
