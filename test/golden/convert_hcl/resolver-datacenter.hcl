Kind = "service-resolver"
Name = "web-dc2"
Redirect {
  Service = "web"
  Datacenter = "dc2"
}
