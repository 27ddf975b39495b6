Kind     = "service-defaults"
Name     = "billing"
Protocol = "http"
RateLimits = {
  InstanceLevel = {
    RequestsPerSecond = 1000
    RequestsMaxBurst  = 1500
    Routes            = [
      {
        PathExact         = "/a"
        RequestsPerSecond = 20
        RequestsMaxBurst  = 40
      },
      {
        PathPrefix        = "/b/"
        RequestsPerSecond = 10
      },
    ]
  }
}
