Kind = "service-intentions"
Name = "api"
Sources {
  Name = "web"
  Permissions {
    Action = "allow"
    HTTP {
      PathExact = "/a"
    }
  }
  Permissions {
    Action = "deny"
    HTTP {
      PathPrefix = "/a/"
    }
  }
  Permissions {
    Action = "allow"
    HTTP {
      PathPrefix = "/"
    }
  }
}
