Kind = "service-router"
Name = "web"
Routes = [
  {
    Match = {
      HTTP = {
        PathPrefix = "/eu"
      }
    }
    Destination = {
      Service   = "web"
      Partition = "eu"
    }
  },
]
