Kind = "service-router"
Name = "web"
Routes = [
  {
    Match = {
      HTTP = {
        PathPrefix = "/v1/"
      }
    }
    Destination = {
      Service       = "web"
      PrefixRewrite = "/"
    }
  },
]
