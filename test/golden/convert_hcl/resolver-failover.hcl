kind = "service-resolver"
name = "web"
connect_timeout = 15000000000
failover = {
  "*" {
    datacenters = ["dc3", "dc4"]
  }
}
