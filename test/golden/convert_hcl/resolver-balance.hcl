Kind           = "service-resolver"
Name           = "web"
ConnectTimeout = "15s"
RequestTimeout = "0s"
LoadBalancer = {
  Policy = "maglev"
  HashPolicies = [
    {
      Field      = "header"
      FieldValue = "X-User-Id"
      Terminal   = true
    },
    {
      SourceIP = true
    },
  ]
}
