kind = "service-router"
name = "web"
routes = [
  {
    match {
      http {
        path_prefix = "/admin"
      }
    }
    destination {
      service = "admin"
    }
  },
  {
    match {
      http {
        path_exact = "/admin/login"
      }
    }
    destination {
      service = "login"
    }
  },
  {
    match {
      http {
        path_regex = "/v[0-9]+/.*"
      }
    }
    destination {
      service = "api"
      request_timeout = "2s"
    }
  },
]
