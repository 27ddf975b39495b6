# Of the settings of an agent.
config_entries {
  bootstrap = [
    {
      Kind     = "service-defaults"
      Name     = "fort-knox"
      Protocol = "http"
    },
    {
      Kind = "service-intentions"
      Name = "fort-knox"
      Sources = [
        {
          Name = "contractor-webapp"
          Permissions = [
            {
              Action = "deny"
              HTTP = {
                PathExact = "/admin"
              }
            },
            {
              Action = "allow"
              HTTP = {
                PathPrefix = "/"
              }
            },
          ]
        },
        {
          Name = "admin-dashboard-webapp"
          Permissions = [
            {
              Action = "allow"
              HTTP = {
                PathExact = "/admin"
                Methods   = ["GET", "POST"]
              }
            },
            {
              Action = "allow"
              HTTP = {
                PathPrefix = "/v1/"
              }
            },
            {
              Action = "allow"
              HTTP = {
                PathPrefix = "/reports"
              }
            },
            {
              Action = "deny"
              HTTP = {
                PathPrefix = "/"
              }
            },
          ]
        },
      ]
    },
  ]
}
