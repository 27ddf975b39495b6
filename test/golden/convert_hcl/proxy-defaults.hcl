kind = "proxy-defaults"
name = "global"
config {
  protocol = "http"
  local_connect_timeout_ms = 1000
}
mesh_gateway {
  mode = "local"
}
access_logs {
  enabled = true
}
