"""Connects from one source port to many virtual addresses while servers stand at the ports to which rules redirect, and prints for each
connection, as JSON, the source port that the server saw, the port at which it came, and the address to which it was going; null: refused."""
import json
import select
import socket
import struct
import sys

first, last, source, places = (int(each) for each in sys.argv[1:5])
SO_ORIGINAL_DST = 80
servers = []
for port in range(first, last + 1):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(64)
    servers.append(server)
seen, kept = [], []
for place in range(1, places + 1):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("127.0.0.1", source))
    client.settimeout(10)
    kept.append(client)
    try:
        client.connect((f"127.100.0.{place}", 80))
    except ConnectionRefusedError:
        seen.append(None)
        continue
    ready, _, _ = select.select(servers, [], [], 10)
    accepted, (_, port) = ready[0].accept()
    kept.append(accepted)
    _, called, address = struct.unpack("!HH4s8x", accepted.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16))
    seen.append({"source": port, "at": accepted.getsockname()[1], "called": f"{socket.inet_ntoa(address)}:{called}"})
print(json.dumps(seen))
