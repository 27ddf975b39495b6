Kind = "service-defaults"
Name = "counting"
Protocol = "http"
UpstreamConfig {
  Defaults {
    ConnectTimeoutMs = 3000
  }
  Overrides {
    Name = "dashboard"
    Protocol = "http"
    ConnectTimeoutMs = 2000
    Limits {
      MaxConnections = 10
      MaxPendingRequests = 50
      MaxConcurrentRequests = 100
    }
    PassiveHealthCheck {
      Interval = "5s"
      MaxFailures = 5
      EnforcingConsecutive5xx = 99
      MaxEjectionPercent = 50
      BaseEjectionTime = "60s"
    }
  }
}
