Kind = "service-defaults"
Name = "external"
Protocol = "tcp"
Destination {
  Addresses = ["api.example.com"]
  Port = 443
}
