#!/usr/bin/env bash
# PROXY protocol, version 1, where one end is IPv6 and the other IPv4 (a dual-stack listener before a service on IPv4).
#
# Versions   github.com/pires/go-proxyproto v0.11.0, v0.12.0, v0.14.0
# Seen       Up to v0.13 the library writes the IPv4 end bare: "PROXY TCP6 2001:db8::7 192.0.2.1 5 80". The specification wants
#            the form of the family that the line names, so strict readers refuse the connection; the library itself refuses
#            its own line up to v0.11 ("invalid address"). It reads it from v0.12 on, and from v0.14 on it writes
#            "::ffff:192.0.2.1", as HAProxy does. A valid header with mapped addresses, read and written again, changes the
#            same way. What was built with an older version goes on writing such lines.
# Needs      go. Fails when any of this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"

cat > main.go <<'GO'
package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"

	proxyproto "github.com/pires/go-proxyproto"
)

func read(line string) (*proxyproto.Header, error) {
	return proxyproto.Read(bufio.NewReader(strings.NewReader(line)))
}

func main() {
	from := &net.TCPAddr{IP: net.ParseIP("2001:db8::7"), Port: 5}
	to := &net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 80}
	made, err := proxyproto.HeaderProxyFromAddrs(1, from, to).Format()
	if err != nil {
		panic(err)
	}
	_, err = read(string(made))
	fmt.Printf("writes %q and reads it: %v\n", made, err == nil)

	relayed, err := read("PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 5 80\r\n")
	if err != nil {
		panic(err)
	}
	again, err := relayed.Format()
	if err != nil {
		panic(err)
	}
	fmt.Printf("passes a mapped address on as %q\n", again)
}
GO

seen=""
for version in v0.11.0 v0.12.0 v0.14.0; do
  rm -f go.mod go.sum
  go mod init example.test/probe >/dev/null 2>&1
  go get "github.com/pires/go-proxyproto@$version" >/dev/null 2>&1
  seen+="$version"$'\n'"$(go run .)"$'\n'
done
printf '%s' "$seen"

expected='v0.11.0
writes "PROXY TCP6 2001:db8::7 192.0.2.1 5 80\r\n" and reads it: false
passes a mapped address on as "PROXY TCP6 2001:db8::7 192.0.2.1 5 80\r\n"
v0.12.0
writes "PROXY TCP6 2001:db8::7 192.0.2.1 5 80\r\n" and reads it: true
passes a mapped address on as "PROXY TCP6 2001:db8::7 192.0.2.1 5 80\r\n"
v0.14.0
writes "PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 5 80\r\n" and reads it: true
passes a mapped address on as "PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 5 80\r\n"
'
[ "$seen" = "$expected" ] || { echo "This is not what was seen before" >&2; exit 1; }
