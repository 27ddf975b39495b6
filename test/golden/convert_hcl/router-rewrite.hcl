kind = "service-router"
name = "web"
routes = [
  {
    match {
      http {
        path_exact = "/old"
      }
    }
    destination {
      service = "web"
      prefix_rewrite = "/new"
    }
  },
]
