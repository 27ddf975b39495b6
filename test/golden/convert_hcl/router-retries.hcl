Kind = "service-router"
Name = "web"
Routes {
  Match {
    HTTP {
      PathExact = "/coffees"
      Methods = ["GET"]
    }
  }
  Destination {
    Service = "procedure"
    NumRetries = 3
    RetryOnConnectFailure = true
    RetryOnStatusCodes = [401, 409, 503]
    RetryOn = ["gateway-error", "cancelled"]
    RequestTimeout = "10s"
    IdleTimeout = "1m"
  }
}
