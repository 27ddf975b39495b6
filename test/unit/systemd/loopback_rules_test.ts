/** Firewalls that refuse what is redirected to loopback over IPv6 are known by their rules. */
import { expect, test } from "bun:test";
import { refusingTable } from "../../../src/systemd/loopback_rules.ts";

const table = (rule: string, hook = "output", name = "inet firewalld"): string => `table inet heddle {
	chain output {
		type nat hook output priority -110; policy accept;
	}
}
table ${name} {
	chain filter_OUTPUT {
		type filter hook ${hook} priority filter + 10; policy accept;
		ct state { established, related } accept
		oifname "lo" accept
		${rule}
		jump filter_OUTPUT_POLICIES_pre
	}
}
`;
/** As firewalld 1.3.3 has it. */
const firewalld =
  "ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24, 2002:a00::/24 } reject with icmpv6 addr-unreachable";

test.each([
  firewalld,
  "ip6 daddr ::1 drop",
  "ip6 daddr ::/96 counter reject",
  "ip6 daddr { 2002::/24, ::1 } drop",
])("%s refuses it", (rule) => {
  expect(refusingTable(table(rule))).toBe("inet firewalld");
});

test.each([
  ["of what comes in", table(firewalld, "input")],
  ["of IPv4", table(firewalld, "output", "ip mine")],
  ["that lets it pass", table("ip6 daddr { ::/96 } accept")],
  ["of other addresses", table("ip6 daddr { ::ffff:0.0.0.0/96, 2002::/24 } reject")],
  ["that is no rule", ""],
])("one %s does not", (_, text) => {
  expect(refusingTable(text)).toBe(null);
});
