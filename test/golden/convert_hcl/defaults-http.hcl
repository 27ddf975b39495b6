kind = "service-defaults"
name = "web"
protocol = "http"
max_inbound_connections = 512
local_connect_timeout_ms = 5000
local_request_timeout_ms = 15000
mesh_gateway {
  mode = "local"
}
