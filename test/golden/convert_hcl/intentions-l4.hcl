kind = "service-intentions"
name = "db"
sources = [
  {
    name = "api"
    action = "allow"
    precedence = 9
    type = "consul"
  },
  {
    name = "*"
    action = "deny"
  },
]
