Kind = "service-router"
Name = "web"
Routes {
  Destination {
    Service = "web"
    RequestHeaders {
      Add = {
        x-from = "router"
      }
      Set = {
        x-peer = "%DOWNSTREAM_PEER_URI_SAN%"
        x-team = "blue"
      }
      Remove = ["x-debug"]
    }
    ResponseHeaders {
      Set = {
        cache-control = "no-store"
      }
    }
  }
}
