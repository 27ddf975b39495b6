Kind = "service-router"
Name = "web"
Routes = [
  {
    Match = {
      HTTP = {
        Header = [
          {
            Name    = "x-internal"
            Present = true
            Invert  = true
          },
        ]
      }
    }
    Destination = {
      Service = "public"
    }
  },
]
