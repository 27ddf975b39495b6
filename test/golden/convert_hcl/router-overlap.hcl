Kind = "service-router"
Name = "web"
Routes {
  Match {
    HTTP {
      Header {
        Name = "x-debug"
        Exact = "1"
      }
    }
  }
  Destination {
    Service = "debug"
  }
}
Routes {
  Match {
    HTTP {
      PathPrefix = "/api"
    }
  }
  Destination {
    Service = "api"
  }
}
Routes {
  Match {
    HTTP {
      PathExact = "/api/health"
      Methods = ["GET", "HEAD"]
    }
  }
  Destination {
    Service = "health"
  }
}
