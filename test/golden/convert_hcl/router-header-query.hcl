kind = "service-router"
name = "web"
routes = [
  {
    match {
      http {
        header = [
          {
            name = "X-Canary"
            present = true
          },
          {
            name = "x-zone"
            prefix = "eu-"
          },
          {
            name = "x-end"
            suffix = "-z"
          },
          {
            name = "x-in"
            contains = "mid"
          },
        ]
      }
    }
    destination {
      service = "web"
      service_subset = "v2"
    }
  },
  {
    match {
      http {
        query_param = [
          {
            name = "x-debug"
            exact = "1"
          },
          {
            name = "v"
            regex = "[12]"
          },
        ]
      }
    }
    destination {
      service = "web"
      service_subset = "v1"
    }
  },
]
