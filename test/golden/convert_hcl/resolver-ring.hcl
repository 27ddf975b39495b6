Kind = "service-resolver"
Name = "web"
LoadBalancer {
  Policy = "ring_hash"
  RingHashConfig {
    MinimumRingSize = 1024
    MaximumRingSize = 4096
  }
  HashPolicies {
    Field = "cookie"
    FieldValue = "session"
    CookieConfig {
      TTL = "1h"
      Path = "/"
    }
  }
}
